import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { systemClock } from '../lib/clock.ts';
import { FileChanges } from '../lib/file-changes.ts';
import { systemReason } from '../lib/system-reason.ts';

/** Files in PEM format. */
export interface CertificateFiles {
  certFile: string;
  keyFile: string;
  /** Who signs the certificates of clients. Where it is given, every client must show one. */
  caFile?: string;
  /**
   * Which of those certificates were withdrawn: a list of each authority in the chain, and none that is out of date. It
   * counts for new connections.
   */
  crlFile?: string;
}

/** What the runtime's TLS servers take. */
export interface TlsMaterial {
  cert: Buffer;
  key: Buffer;
  ca: Buffer | undefined;
  crl: Buffer | undefined;
  requestCert: boolean;
  rejectUnauthorized: true;
  minVersion: 'TLSv1.2';
}

/**
 * The certificate that listeners show, read again when its files change or when somebody asks. Broken files never
 * replace a certificate that works.
 */
export class Certificates {
  material: TlsMaterial;
  readonly #files: CertificateFiles;
  readonly #changes: FileChanges;
  readonly #listeners = new Set<(material: TlsMaterial) => void>();
  readonly #report: (outcome: { error?: Error }) => void;
  #problem: string | undefined;

  /**
   * @param report hears of every reload.
   * @param watchMs how often the files are looked at.
   * @throws Error with a sentence that names the file.
   */
  constructor(files: CertificateFiles, watchMs: number, report: (outcome: { error?: Error }) => void) {
    this.#files = files;
    this.#report = report;
    const { certFile, keyFile, caFile, crlFile } = files;
    const watched = [certFile, keyFile, caFile, crlFile].filter((file) => file !== undefined);
    this.#changes = new FileChanges(watched, watchMs, () => this.#look(), systemClock);
    try {
      this.material = readCertificates(files);
    } catch (error) {
      this.#changes.close();
      throw error;
    }
  }

  /** Calls `listener` with every new certificate. */
  onChange(listener: (material: TlsMaterial) => void): void {
    this.#listeners.add(listener);
  }

  /** Reads the files again, for new connections. */
  reload(): void {
    this.#problem = undefined;
    this.#look();
  }

  close(): void {
    this.#changes.close();
  }

  /** False where a file could not be read: it is tried again, and told once. */
  #look(): boolean {
    try {
      this.material = readCertificates(this.#files);
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#problem) this.#report({ error: error as Error });
      this.#problem = message;
      return !(error instanceof UnreadableError);
    }
    this.#problem = undefined;
    for (const listener of this.#listeners) listener(this.material);
    this.#report({});
    return true;
  }
}

/** A file that cannot be read at this moment. */
class UnreadableError extends Error {}

/** Reads the files and tries them. @throws Error with a sentence that names the file. */
export function readCertificates(files: CertificateFiles): TlsMaterial {
  const cert = readPem('certificate', files.certFile);
  const key = readPem('key', files.keyFile);
  const ca = files.caFile === undefined ? undefined : readCa(files.caFile);
  const crl = files.crlFile === undefined ? undefined : readCrl(files.crlFile);
  try {
    // Loaded here, and not for brokers without certificates: it takes megabytes.
    process.getBuiltinModule('node:tls').createSecureContext({ cert, key, ca, crl });
  } catch (error) {
    const what = (error as Error).message;
    throw unusable(files, what);
  }
  // A key of another kind is taken, and then every handshake fails.
  if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) {
    throw unusable(files, 'the key is not that of the certificate');
  }
  return {
    cert,
    key,
    ca,
    crl,
    requestCert: ca !== undefined,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
  };
}

function unusable({ certFile, keyFile }: CertificateFiles, problem: string): Error {
  return new Error(`the certificate ${certFile} and the key ${keyFile} do not work: ${problem}`);
}

/** Until when a certificate holds. */
export interface Validity {
  readonly expiresAt: string;
  /** Whether clients take it now. */
  readonly isValid: boolean;
  /** Why they do not, or soon will not. */
  readonly problem: string | undefined;
}

/**
 * @param cert in PEM format.
 * @param nowMs since 1970.
 */
export function validityOf(cert: Buffer, nowMs: number): Validity {
  const { validFrom, validTo } = new X509Certificate(cert);
  const [fromMs, toMs] = [Date.parse(validFrom), Date.parse(validTo)];
  const expiresAt = new Date(toMs).toISOString();
  const of = (isValid: boolean, problem?: string) => ({ expiresAt, isValid, problem });
  if (nowMs < fromMs)
    return of(false, `the certificate is not valid before ${new Date(fromMs).toISOString()}`);
  if (nowMs > toMs) return of(false, `the certificate expired at ${expiresAt}`);
  return nowMs > toMs - SOON_MS ? of(true, `the certificate expires soon, at ${expiresAt}`) : of(true);
}

/** Two weeks: enough to notice and to replace it. */
const SOON_MS = 14 * 86_400_000;

/** The runtime passes over what is no certificate, and would then trust nobody. */
function readCa(file: string): Buffer {
  const ca = readPem('CA certificate', file);
  const beginnings = [...ca.toString('latin1').matchAll(/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----/g)];
  if (beginnings.length === 0) throw new Error(`the CA certificate ${file} does not work: it holds none`);
  for (const { index } of beginnings) {
    try {
      new X509Certificate(ca.subarray(index));
    } catch (error) {
      throw new Error(`the CA certificate ${file} does not work: ${(error as Error).message}`);
    }
  }
  return ca;
}

/** The runtime takes a text without any list, and then refuses everybody. */
function readCrl(file: string): Buffer {
  const crl = readPem('list of withdrawn certificates', file);
  if (!crl.includes('-----BEGIN X509 CRL-----')) {
    throw new Error(`the list of withdrawn certificates ${file} does not work: it holds none`);
  }
  return crl;
}

function readPem(what: string, file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UnreadableError(`cannot read the ${what} ${file}: ${systemReason(error)}`);
  }
}
