import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { quoted } from '../../../internal/errors.ts';
import { Failure } from '../../../internal/lib/failure.ts';
import { systemReason } from '../../../internal/lib/system-reason.ts';
import { makeDirectory } from '../../../internal/store/make-directory.ts';
import type { CertifiedKey } from '../../../internal/transport/development-certificates.ts';
import { UsageError } from '../../cli/options/program.ts';
import { command } from '../../cli/run-program.ts';
import { print } from '../access/output.ts';
import { certsProgram } from './flags.ts';

const KEY_MODE = 0o600;
const CERTIFICATE_MODE = 0o644;
const FOLDER_MODE = 0o755;

export const certs = command(certsProgram, async ({ values, given }) => {
  const { out, days, force } = values;
  const clients = given.has('client') ? values.client : ['client'];
  for (const name of clients) checkFileName(name);
  const isServerWanted = force || given.has('name') || !isThere(out, 'server');
  if (!force) {
    const wanted = [...(isServerWanted ? ['server'] : []), ...clients];
    const taken = wanted.filter((name) => isThere(out, name));
    if (taken.length > 0)
      throw new Failure(
        `${taken.map((name) => join(out, `${name}.crt`)).join(', ')} is there already; -force makes all anew`,
      );
  }
  // Only who makes certificates loads what is needed for that.
  const made = await import('../../../internal/transport/development-certificates.ts');
  const write = (name: string, each: CertifiedKey) => writePair(out, name, each, made.pemOf);
  try {
    makeDirectory(out, FOLDER_MODE);
    const isOldAuthority = !force && isThere(out, 'ca');
    const ca = isOldAuthority ? await readAuthority(out, made.readAuthority) : await made.makeAuthority(days);
    const files = isOldAuthority ? [] : await write('ca', ca);
    if (isServerWanted) {
      const names = [hostname(), ...values.name];
      files.push(...(await write('server', await made.makeServerCertificate(ca, names, days))));
    }
    for (const name of clients)
      files.push(...(await write(name, await made.makeClientCertificate(ca, name, days))));
    report(values, files, out);
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`cannot write to ${out}: ${systemReason(error)}`);
  }
});

function checkFileName(name: string): void {
  if (/^[\w@+-][\w.@+-]*$/.test(name) && !['ca', 'server'].includes(name)) return;
  throw new UsageError(
    `-client ${quoted(name)} is no name for a file: letters, digits, '.', '_', '@', '+' and '-'`,
  );
}

function isThere(folder: string, name: string): boolean {
  return ['crt', 'key'].some((end) => existsSync(join(folder, `${name}.${end}`)));
}

async function readAuthority(
  folder: string,
  parse: (certificate: string, key: string) => Promise<CertifiedKey>,
): Promise<CertifiedKey> {
  const [certificate, key] = ['ca.crt', 'ca.key'].map((name) => join(folder, name)) as [string, string];
  try {
    return await parse(readFileSync(certificate, 'utf8'), readFileSync(key, 'utf8'));
  } catch (error) {
    throw new Failure(
      `${certificate} and ${key} cannot sign others: ${systemReason(error)}; -force makes all anew`,
    );
  }
}

async function writePair(
  folder: string,
  name: string,
  made: CertifiedKey,
  pemOf: (made: CertifiedKey) => Promise<{ certificate: string; key: string }>,
): Promise<string[]> {
  const pem = await pemOf(made);
  const [certificate, key] = [join(folder, `${name}.crt`), join(folder, `${name}.key`)];
  replace(key, pem.key, KEY_MODE);
  replace(certificate, pem.certificate, CERTIFICATE_MODE);
  return [certificate, key];
}

/** The file has its mode before it has its content, also in the place of one that anybody could read. */
function replace(file: string, content: string, mode: number): void {
  const temporary = `${file}.new`;
  rmSync(temporary, { force: true });
  writeFileSync(temporary, content, { mode, flag: 'wx' });
  renameSync(temporary, file);
}

function report(values: { json: boolean; quiet: boolean }, files: readonly string[], folder: string): void {
  if (values.json) {
    print({ files });
    return;
  }
  if (values.quiet) return;
  const file = (name: string) => join(folder, name);
  process.stdout.write(`Wrote ${files.join(', ')}

  broker -address localhost:8883 -tls-cert ${file('server.crt')} -tls-key ${file('server.key')}
  subscriber -address localhost:8883 -tls-ca ${file('ca.crt')} -topic 'sensors/#'

With -tls-ca ${file('ca.crt')} the broker asks clients for certificates. The keys are for development.
`);
}
