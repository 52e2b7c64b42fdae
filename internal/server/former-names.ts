import type { BrokerOptions } from './options.ts';

/** The former name of each option that has another now. */
const FORMER_NAMES = { keep: 'logs', keepForMs: 'logRetentionMs', keepBytes: 'logRetentionBytes' } as const;

/**
 * The options with their present names only.
 *
 * @throws RangeError where one option is given by both of its names.
 */
export function withPresentNames(options: BrokerOptions): BrokerOptions {
  const renamed: Record<string, unknown> = { ...options };
  for (const [name, former] of Object.entries(FORMER_NAMES)) {
    const value = options[former];
    if (value === undefined) continue;
    if (renamed[name] !== undefined) {
      throw new RangeError(`${name} and ${former} are names of the same option: give one of them`);
    }
    renamed[name] = value;
  }
  return renamed;
}
