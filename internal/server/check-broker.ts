import { lookup } from 'node:dns/promises';
import { existsSync } from 'node:fs';
import { isIP } from 'node:net';
import { dirname, join } from 'node:path';
import { read as readUsersFile } from '../access/file/access-file.ts';
import { CertificateUsers } from '../access/users/certificate-users.ts';
import { Tokens } from '../access/users/tokens/tokens.ts';
import { DOORS } from '../doors/all.ts';
import { otlpSettings } from '../observe/otlp/settings.ts';
import { STORE_FILE } from '../store/sqlite/store-file.ts';
import { readCertificates, validityOf } from '../transport/certificates.ts';
import { type Endpoint, endpointUrl, isSecure } from '../transport/endpoint.ts';
import { checkSocketPath } from '../transport/unix-socket.ts';
import { checkOptions } from './check-options.ts';
import { checkDataFolder } from './data-folder.ts';
import { exposedPlaces } from './exposure.ts';
import { withPresentNames } from './former-names.ts';
import { hasMark } from './has-users.ts';
import { type BrokerOptions, checkBounds, type Place, placesOf, storeFolderOf } from './options.ts';

/** What is to be said of a configuration. */
export interface ConfigurationReport {
  /** Why a broker would not start with it, or not as it is meant; empty where it would. */
  readonly problems: readonly string[];
  /** What it would start in spite of. */
  readonly notes: readonly string[];
  /** Where it would listen. */
  readonly urls: readonly string[];
}

/** Checks everything that a broker would start with, and opens nothing: no port, no store. It may run beside one that runs. */
export async function checkBroker(given: BrokerOptions): Promise<ConfigurationReport> {
  const problems: string[] = [];
  const notes: string[] = [];
  let places: Place[];
  let options: BrokerOptions;
  try {
    checkOptions(given, DOORS);
    options = withPresentNames(given);
    checkBounds(options);
    places = placesOf(DOORS, options);
  } catch (error) {
    return { problems: [(error as Error).message], notes, urls: [] };
  }
  const check = async (act: () => unknown) => {
    try {
      await act();
    } catch (error) {
      problems.push((error as Error).message);
    }
  };
  await check(() => checkCertificates(places, options, notes));
  if (options.usersFile !== undefined) await check(() => readUsersFile(options.usersFile!));
  await check(() => new CertificateUsers(options.certificateUsers));
  if (options.tokens !== undefined) await check(async () => (await Tokens.open(options.tokens!)).close());
  await check(() => notes.push(...(otlpSettings(options.openTelemetry ?? {})?.notes ?? [])));
  await check(() => checkPlaceOfStore(options, notes));
  for (const { endpoint } of places) await check(() => checkAddress(endpoint));
  const hasUsers = options.usersFile !== undefined || options.tokens !== undefined || hasStoredUsers(options);
  await check(() => exposedPlaces(places, options, hasUsers));
  return { problems, notes, urls: places.map(({ endpoint }) => endpointUrl(endpoint)) };
}

function checkCertificates(places: readonly Place[], { tls }: BrokerOptions, notes: string[]): void {
  const secure = places.find(({ endpoint }) => isSecure(endpoint));
  if (secure === undefined) return;
  if (tls === undefined) throw new Error(`${endpointUrl(secure.endpoint)} needs a certificate and its key`);
  const { cert } = readCertificates(tls);
  const { isValid, problem } = validityOf(cert, Date.now());
  if (problem === undefined) return;
  if (!isValid) throw new Error(`${tls.certFile}: ${problem}`);
  notes.push(`${tls.certFile}: ${problem}`);
}

async function checkPlaceOfStore(options: BrokerOptions, notes: string[]): Promise<void> {
  const { memory, kafkaLogDirs, dataDir, dataDirIsOptional = false } = options;
  if (memory) return;
  for (const directory of kafkaLogDirs?.directories ?? []) checkDataFolder(directory, false);
  if (dataDir === undefined) return;
  try {
    checkDataFolder(dataDir, false);
    if (!existsSync(join(dataDir, STORE_FILE))) return;
    const { checkStoreFile } = await import('../store/sqlite/check-store-file.ts');
    checkStoreFile(dataDir);
  } catch (error) {
    if (!dataDirIsOptional) throw error;
    notes.push((error as Error).message);
  }
}

function hasStoredUsers(options: BrokerOptions): boolean {
  const folder = storeFolderOf(options);
  return folder !== undefined && hasMark(folder);
}

async function checkAddress(endpoint: Endpoint): Promise<void> {
  if (endpoint.scheme === 'unix') {
    checkPathOf(endpoint.path);
    return;
  }
  if (endpoint.host === '' || isIP(endpoint.host) !== 0) return;
  try {
    await lookup(endpoint.host);
  } catch {
    throw new Error(`cannot listen on ${endpointUrl(endpoint)}: there is no host of that name`);
  }
}

function checkPathOf(path: string): void {
  try {
    checkSocketPath(path);
    if (!existsSync(dirname(path))) throw new Error('no such folder');
  } catch (error) {
    throw new Error(`cannot listen on unix://${path}: ${(error as Error).message}`);
  }
}
