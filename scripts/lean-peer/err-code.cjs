/** DOMException has a `code` already, which cannot be set. */
module.exports = (error, code) =>
  Object.defineProperty(error, 'code', { value: code, enumerable: true, configurable: true });
