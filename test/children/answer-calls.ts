interface Call {
  readonly id: number;
  readonly method: string;
  readonly args: unknown[];
}

/** Runs the methods that a CallableProcess calls here; after `end` the process may end by itself. */
export function answerCalls(methods: object): void {
  process.on('message', ({ id, method, args }: Call) => {
    const run = Reflect.get(methods, method) as (...args: unknown[]) => Promise<unknown>;
    run(...args).then(
      (value) =>
        process.send?.({ id, value }, undefined, undefined, () => {
          // With its last channel gone the process has to end by itself.
          if (method === 'end') process.disconnect();
        }),
      (error: Error) => process.send?.({ id, error: `${error.name}: ${error.message}` }),
    );
  });
}
