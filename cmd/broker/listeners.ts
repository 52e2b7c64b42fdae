import type { DoorEntry, OwnPort } from '../../internal/doors/door.ts';
import { doorEndpoint } from '../../internal/doors/door-addresses.ts';
import { shownAddress } from '../../internal/lib/shown-address.ts';
import { endpointUrl } from '../../internal/transport/endpoint.ts';
import { DEFAULT_SOCKET_PATH } from '../../pkg/client/address.ts';
import type { CertificateFiles, DoorName } from '../../pkg/embed/index.ts';
import type { Values } from '../cli/options/option.ts';
import { UsageError } from '../cli/options/program.ts';
import { DEFAULT_ADDRESS, MAIN_DOOR, OTHER_DOORS } from './door-flags.ts';
import type { brokerProgram } from './flags.ts';

type BrokerValues = Values<typeof brokerProgram.options>;

export interface Listeners {
  /** Where each door listens; empty for one that stays closed. */
  urls: Readonly<Record<DoorName, readonly string[]>>;
  /** Nobody named them: one that cannot open is no reason to fail. */
  areDefaults: boolean;
}

/**
 * Where to listen: `-network` and `-address`, and what `-listen` and the flags of the other doors name beside them.
 *
 * @param ofKafka the listeners of a `server.properties`, which `-kafka` replaces.
 * @throws UsageError.
 */
export function listenersOf(
  values: BrokerValues,
  given: ReadonlySet<string>,
  ofKafka: readonly string[] = [],
): Listeners {
  const hasTls = values['tls-cert'] !== undefined;
  const listen = urlsOf(MAIN_DOOR, itemsOf(values.listen), 'listen');
  const urls: Record<string, readonly string[]> = {};
  for (const door of OTHER_DOORS)
    urls[door.name] = urlsOf(door, withScheme(flagOf(door, values), hasTls), door.name);
  const isTlsElsewhere = [...listen, ...ofKafka].some(speaksTls) || Object.values(urls).flat().length > 0;
  const namesPair = given.has('network') || given.has('address') || (hasTls && !isTlsElsewhere);
  urls[MAIN_DOOR.name] = namesPair ? [pairUrl(values, given, hasTls), ...listen] : listen;
  if (urls.kafka.length === 0) urls.kafka = ofKafka;
  const areDefaults = Object.values(urls).flat().length === 0;
  if (areDefaults)
    for (const { name, listening } of [MAIN_DOOR, ...OTHER_DOORS]) urls[name] = [listening.defaultUrl];
  const unarmed = [MAIN_DOOR, ...OTHER_DOORS].flatMap(({ name }) => urls[name]).find(speaksTls);
  if (unarmed !== undefined && !hasTls) throw new UsageError(`${unarmed} needs -tls-cert and -tls-key`);
  if (hasTls && unarmed === undefined) throw new UsageError('-tls-cert has no effect: no listener uses TLS');
  return { urls: urls as Listeners['urls'], areDefaults };
}

/** The flag that has the name of a door says where that listens. */
function flagOf({ name }: DoorEntry, values: BrokerValues): readonly string[] {
  return (values as Readonly<Record<string, unknown>>)[name] as readonly string[];
}

function itemsOf(texts: readonly string[]): string[] {
  return texts.flatMap((item) => item.split(','));
}

/** Where there is a certificate, an address without a scheme is never left in the clear. */
function withScheme(texts: readonly string[], hasTls: boolean): string[] {
  return itemsOf(texts).map((text) => (isUrl(text) ? text : `${hasTls ? 'tls' : 'tcp'}://${text}`));
}

/** Addresses in the one form that the banner shows. @throws UsageError where one is none. */
function urlsOf({ listening }: { listening: OwnPort }, texts: readonly string[], flag: string): string[] {
  return texts.map((text) => {
    try {
      return endpointUrl(doorEndpoint(listening, text));
    } catch (error) {
      throw new UsageError((error as Error).message, flag);
    }
  });
}

/** @throws UsageError where half of what TLS needs is missing. */
export function tlsOf(values: BrokerValues): CertificateFiles | undefined {
  const certFile = values['tls-cert'];
  const keyFile = values['tls-key'];
  const caFile = values['tls-ca'];
  const crlFile = values['tls-crl'];
  if ([certFile, keyFile, caFile, crlFile].every((file) => file === undefined)) return undefined;
  if (crlFile !== undefined && caFile === undefined)
    throw new UsageError('-tls-crl has no effect without -tls-ca');
  if (certFile === undefined || keyFile === undefined) {
    throw new UsageError('TLS needs both -tls-cert and -tls-key');
  }
  return { certFile, keyFile, caFile, crlFile };
}

/** What `-network` and `-address` name; a URL or the path of a socket says itself what it is. */
function pairUrl(values: BrokerValues, given: ReadonlySet<string>, hasTls: boolean): string {
  const network = values.network ?? 'tcp';
  const address = values.address ?? (network === 'unix' ? DEFAULT_SOCKET_PATH : DEFAULT_ADDRESS);
  if (isUrl(address) || (isPath(address) && !given.has('network'))) {
    const [url] = urlsOf(MAIN_DOOR, [isUrl(address) ? address : `unix://${address}`], 'address');
    if (given.has('network') && !url.startsWith(`${network}://`)) {
      throw new UsageError(`-network ${network} and -address ${shownAddress(address)} do not go together`);
    }
    return url;
  }
  const secured: Readonly<Partial<Record<string, string>>> = hasTls ? { tcp: 'tls', ws: 'wss' } : {};
  return urlsOf(MAIN_DOOR, [`${secured[network] ?? network}://${address}`], 'address')[0];
}

function isUrl(text: string): boolean {
  return /^[a-z]+:\/\//i.test(text);
}

function isPath(text: string): boolean {
  return /^\.{0,2}\//.test(text);
}

function speaksTls(url: string): boolean {
  return url.startsWith('tls://') || url.startsWith('wss://');
}
