/** So many random bytes in hexadecimal digits. Pages without TLS have no `crypto.randomUUID`. */
export function randomName(byteCount: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(byteCount));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
