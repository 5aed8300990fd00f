/** How many bytes of typed arrays and buffers `work` makes in all, whatever becomes of them. */
export function allocatedBy<T>(work: () => T): { result: T; bytes: number } {
  let bytes = 0;
  const counting = <C extends new (...args: never[]) => { byteLength: number }>(original: C): C =>
    new Proxy(original, {
      construct(target, args: unknown[], newTarget): object {
        const made = Reflect.construct(target, args, newTarget) as { byteLength: number };
        // A view of an existing buffer costs nothing.
        if (!(args[0] instanceof ArrayBuffer)) bytes += made.byteLength;
        return made;
      },
    });
  const original = { Uint8Array, ArrayBuffer };
  Object.assign(globalThis, {
    Uint8Array: counting(Uint8Array),
    ArrayBuffer: counting(ArrayBuffer),
  });
  try {
    const result = work();
    return { result, bytes };
  } finally {
    Object.assign(globalThis, original);
  }
}
