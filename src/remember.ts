/**
 * Sets the newest entry of a map that forgets its oldest ones.
 * @param most how many entries it keeps
 * @returns the value that was forgotten, if one was
 */
export function remember<K, V>(map: Map<K, V>, key: K, value: V, most: number): V | undefined {
  map.delete(key);
  map.set(key, value);
  if (map.size <= most) return undefined;
  const [oldest, forgotten] = map.entries().next().value!;
  map.delete(oldest);
  return forgotten;
}
