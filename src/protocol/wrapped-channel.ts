import type { Channel, ChannelHandlers, Frame } from './channel.ts';

/** A channel as it is, for those that change something about one. */
export class WrappedChannel implements Channel {
  protected readonly inner: Channel;

  constructor(inner: Channel) {
    this.inner = inner;
  }

  get maxFrameBytes(): number {
    return this.inner.maxFrameBytes;
  }

  get congested(): boolean {
    return this.inner.congested;
  }

  start(handlers: ChannelHandlers): void {
    this.inner.start(handlers);
  }

  send(frame: Frame): void {
    this.inner.send(frame);
  }

  drained(): Promise<void> {
    return this.inner.drained();
  }

  close(): Promise<void> {
    return this.inner.close();
  }

  destroy(error?: Error): void {
    this.inner.destroy(error);
  }
}
