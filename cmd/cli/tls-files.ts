import { readFileSync } from 'node:fs';
import { systemReason } from '../../internal/lib/system-reason.ts';
import type { connectionOptions } from './options/connection-options.ts';
import type { Values } from './options/option.ts';
import { UsageError } from './options/program.ts';

/**
 * The certificates that the flags name.
 *
 * @throws UsageError where a file cannot be read, or one belongs to another that is missing.
 */
export function tlsOf(
  values: Pick<
    Values<typeof connectionOptions>,
    'tls-ca' | 'tls-cert' | 'tls-key' | 'tls-server-name' | 'tls-insecure'
  >,
) {
  if ((values['tls-cert'] === undefined) !== (values['tls-key'] === undefined)) {
    throw new UsageError('-tls-cert and -tls-key belong together');
  }
  return {
    ca: pemOf('-tls-ca', values['tls-ca']),
    cert: pemOf('-tls-cert', values['tls-cert']),
    key: pemOf('-tls-key', values['tls-key']),
    serverName: values['tls-server-name'],
    insecure: values['tls-insecure'],
  };
}

function pemOf(flag: string, file: string | undefined): Buffer | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`${flag}: cannot read ${file}: ${systemReason(error)}`);
  }
}
