/** 16 KiB: what every WebRTC implementation takes in one message. */
export const MAX_PORT_MESSAGE_BYTES = 16_384;
