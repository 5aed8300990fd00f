/**
 * What simple-peer inherits from: events, and a queue for messages that come before anybody takes
 * them past the stream. Nobody of ours writes to it, pipes it or iterates over it.
 */
class Duplex {
  #listenersByEvent = new Map();
  #unread = [];
  _readableState = { ended: false };
  _writableState = { finished: false };

  on(event, listener) {
    const listeners = this.#listenersByEvent.get(event) ?? [];
    this.#listenersByEvent.set(event, [...listeners, listener]);
    return this;
  }

  once(event, listener) {
    const once = (...values) => {
      this.removeListener(event, once);
      listener(...values);
    };
    once.listener = listener;
    return this.on(event, once);
  }

  removeListener(event, listener) {
    const listeners = this.#listenersByEvent.get(event) ?? [];
    const others = listeners.filter((one) => one !== listener && one.listener !== listener);
    this.#listenersByEvent.set(event, others);
    return this;
  }

  emit(event, ...values) {
    const listeners = this.#listenersByEvent.get(event) ?? [];
    if (event === 'error' && listeners.length === 0) throw values[0];
    for (const listener of listeners) listener.apply(this, values);
    return listeners.length > 0;
  }

  push(message) {
    if (message === null) this._readableState.ended = true;
    else this.#unread.push(message);
  }

  read() {
    return this.#unread.shift() ?? null;
  }

  end() {
    this._writableState.finished = true;
  }
}

module.exports = { Duplex };
