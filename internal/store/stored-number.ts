import { isCount } from '../lib/shape.ts';
import { StoreError } from './store-error.ts';

/** A number among the small values of a store. What is counted there is not begun anew where it cannot be read. @throws StoreError `corrupt` */
export function storedNumber(key: string, value: Uint8Array): number {
  const text = Buffer.from(value).toString();
  const number = Number(text);
  if (/^\d+$/.test(text) && isCount(number)) return number;
  throw new StoreError('corrupt', `what the store has as ${key} is no number`);
}
