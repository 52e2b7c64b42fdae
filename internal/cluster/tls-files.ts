import { readFileSync } from 'node:fs';
import type { TlsOptions } from '@nats-io/transport-node';
import { systemReason } from '../lib/system-reason.ts';
import { StoreError } from '../store/store-error.ts';

/** Files of PEM: whom this node trusts, and what it shows. */
export interface TlsFiles {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
}

/** Undefined where there is nothing to say. @throws StoreError `unsupported` for a file that cannot be read, and a certificate without its key */
export function tlsOptionsOf({ caFile, certFile, keyFile }: TlsFiles): TlsOptions | undefined {
  if (caFile === undefined && certFile === undefined && keyFile === undefined) return undefined;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new StoreError('unsupported', '-cluster-tls-cert and -cluster-tls-key belong together');
  }
  return {
    ...(caFile !== undefined && { ca: contentOf(caFile) }),
    ...(certFile !== undefined && { cert: contentOf(certFile) }),
    ...(keyFile !== undefined && { key: contentOf(keyFile) }),
  };
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new StoreError('unsupported', `cannot read ${file}: ${systemReason(error)}`);
  }
}
