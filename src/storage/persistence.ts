/** Whether the browser keeps what this page stores until its user removes it. */
export class Persistence {
  #answer: boolean | undefined;

  /** @param ask asks the browser to promise it; else only whether it has */
  constructor(ask: boolean) {
    // Firefox shows the question to its user, who may take any time: nothing waits for the answer.
    void this.#find(ask);
  }

  /** Undefined until the browser has answered. */
  get answer(): boolean | undefined {
    return this.#answer;
  }

  async #find(ask: boolean): Promise<void> {
    try {
      const { storage } = navigator;
      this.#answer = await (ask ? storage.persist() : storage.persisted());
    } catch {
      // Not a secure context, or storage is blocked: nobody has promised anything.
      this.#answer = false;
    }
  }
}
