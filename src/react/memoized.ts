/** A function that makes one value for each object, and forgets it with the object. */
export function memoized<K extends object, V>(make: (key: K) => V): (key: K) => V {
  const values = new WeakMap<K, { readonly value: V }>();
  return (key) => {
    let held = values.get(key);
    if (held === undefined) values.set(key, (held = { value: make(key) }));
    return held.value;
  };
}
