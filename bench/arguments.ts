/** @throws Error that names the option when its text is no whole number above 0 */
export function positiveInteger(option: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0) return value;
  throw new Error(`--${option} is a whole number above 0, not '${text}'`);
}
