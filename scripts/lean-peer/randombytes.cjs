/** simple-peer makes names of them. */
module.exports = (length) => ({
  toString: () => Array.from(crypto.getRandomValues(new Uint8Array(length)), hex).join(''),
});

const hex = (byte) => byte.toString(16).padStart(2, '0');
