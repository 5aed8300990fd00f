import { type ReactNode, StrictMode } from 'react';
import { flushSync } from 'react-dom';
import { createRoot, type Root } from 'react-dom/client';
import { onTestFinished } from 'vitest';

export interface Mounted {
  /** All that it shows. */
  text(): string;
  /** Shows something else in the same root; after `unmount` in a new one. */
  render(children: ReactNode): void;
  unmount(): void;
}

/** Shows something in a part of the page of its own, until the test is over. */
export function mount(children: ReactNode, { strict = true }: { strict?: boolean } = {}): Mounted {
  const container = document.createElement('div');
  document.body.append(container);
  let root: Root | undefined;
  const mounted: Mounted = {
    text: () => container.textContent,
    render: (next) => {
      root ??= createRoot(container);
      const made = root;
      flushSync(() => made.render(strict ? <StrictMode>{next}</StrictMode> : next));
    },
    unmount: () => {
      root?.unmount();
      root = undefined;
    },
  };
  mounted.render(children);
  onTestFinished(() => {
    mounted.unmount();
    container.remove();
  });
  return mounted;
}
