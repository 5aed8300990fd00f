/**
 * Makes all bytes that the platform's random source gives come from `bytes`, so that a run can be
 * repeated to the byte. Returns the function that ends this.
 */
export function replaceRandomValues(bytes: (length: number) => Uint8Array): () => void {
  const { crypto } = globalThis;
  crypto.getRandomValues = (array) => {
    const { buffer, byteOffset, byteLength } = array;
    new Uint8Array(buffer, byteOffset, byteLength).set(bytes(byteLength));
    return array;
  };
  // The platform's own lies on the prototype.
  return () => void Reflect.deleteProperty(crypto, 'getRandomValues');
}
