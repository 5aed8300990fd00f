/** simple-peer wraps messages only. */
module.exports = { Buffer: { from: (message) => new Uint8Array(message) } };
