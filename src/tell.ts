/** Calls a listener. One that throws is its owner's bug: it is reported as one, and the teller goes on. */
export function tell<T>(listener: (news: T) => void, news: T): void {
  try {
    listener(news);
  } catch (error) {
    throwLater(error);
  }
}

/** Reports a bug as an error that nobody caught, while the caller goes on. */
export function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
