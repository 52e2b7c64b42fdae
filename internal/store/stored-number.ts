import { countOf } from '../lib/shape.ts';
import { StoreError } from './store-error.ts';

/** A number among the small values of a store. What is counted there is not begun anew where it cannot be read. @throws StoreError `corrupt` */
export function storedNumber(key: string, value: Uint8Array): number {
  const number = countOf(Buffer.from(value).toString());
  if (number !== undefined) return number;
  throw new StoreError('corrupt', `what the store has as ${key} is no number`);
}
