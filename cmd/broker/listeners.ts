import { type DoorName, doorEndpoint } from '../../internal/doors/door-addresses.ts';
import { shownAddress } from '../../internal/lib/shown-address.ts';
import { endpointUrl } from '../../internal/transport/endpoint.ts';
import { DEFAULT_SOCKET_PATH } from '../../pkg/client/address.ts';
import type { CertificateFiles } from '../../pkg/embed/index.ts';
import type { Values } from '../cli/options/option.ts';
import { UsageError } from '../cli/options/program.ts';
import type { brokerProgram } from './flags.ts';

type BrokerValues = Values<typeof brokerProgram.options>;

/** What `broker` opens when nobody names a listener. */
const DEFAULT_LISTENERS = ['tcp://localhost:1883'];
const DEFAULT_KAFKA_LISTENERS = ['tcp://localhost:9092'];
const DEFAULT_GRPC_LISTENERS = ['tcp://localhost:8097'];
const DEFAULT_ADDRESS = 'localhost:1883';

export interface Listeners {
  /** Of the door for tinymq's own clients. */
  urls: string[];
  /** Of the door for Kafka's clients. */
  kafka: string[];
  /** Of the door for SMQ's clients. */
  grpc: string[];
  /** Nobody named them: one that cannot open is no reason to fail. */
  areDefaults: boolean;
}

/**
 * Where to listen: `-network` and `-address`, and what `-listen`, `-kafka` and `-grpc` name beside them.
 *
 * @param ofKafka the listeners of a `server.properties`, which `-kafka` replaces.
 * @throws UsageError.
 */
export function listenersOf(
  values: BrokerValues,
  given: ReadonlySet<string>,
  ofKafka: readonly string[] = [],
): Listeners {
  const urls: string[] = [];
  const hasTls = values['tls-cert'] !== undefined;
  const listen = urlsOf('frames', itemsOf(values.listen));
  const kafka = urlsOf('kafka', withScheme(values.kafka, hasTls));
  const grpc = urlsOf('grpc', withScheme(values.grpc, hasTls));
  const isTlsElsewhere = [...listen, ...ofKafka].some(speaksTls) || kafka.length + grpc.length > 0;
  const namesPair = given.has('network') || given.has('address') || (hasTls && !isTlsElsewhere);
  if (namesPair) urls.push(pairUrl(values, given, hasTls));
  urls.push(...listen);
  if (kafka.length === 0) kafka.push(...ofKafka);
  const areDefaults = urls.length === 0 && kafka.length === 0 && grpc.length === 0;
  if (areDefaults) {
    urls.push(...DEFAULT_LISTENERS);
    kafka.push(...DEFAULT_KAFKA_LISTENERS);
    grpc.push(...DEFAULT_GRPC_LISTENERS);
  }
  const all = [...urls, ...kafka, ...grpc];
  const unarmed = all.find(speaksTls);
  if (unarmed !== undefined && !hasTls) throw new UsageError(`${unarmed} needs -tls-cert and -tls-key`);
  if (hasTls && unarmed === undefined) throw new UsageError('-tls-cert has no effect: no listener uses TLS');
  return { urls, kafka, grpc, areDefaults };
}

function itemsOf(texts: readonly string[]): string[] {
  return texts.flatMap((item) => item.split(','));
}

/** Where there is a certificate, an address without a scheme is never left in the clear. */
function withScheme(texts: readonly string[], hasTls: boolean): string[] {
  return itemsOf(texts).map((text) => (isUrl(text) ? text : `${hasTls ? 'tls' : 'tcp'}://${text}`));
}

/** Addresses in the one form that the banner shows. @throws UsageError where one is none. */
function urlsOf(door: DoorName, texts: readonly string[]): string[] {
  return texts.map((text) => {
    try {
      return endpointUrl(doorEndpoint(door, text));
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  });
}

/** @throws UsageError where half of what TLS needs is missing. */
export function tlsOf(values: BrokerValues): CertificateFiles | undefined {
  const certFile = values['tls-cert'];
  const keyFile = values['tls-key'];
  const caFile = values['tls-ca'];
  if (certFile === undefined && keyFile === undefined && caFile === undefined) return undefined;
  if (certFile === undefined || keyFile === undefined) {
    throw new UsageError('TLS needs both -tls-cert and -tls-key');
  }
  return { certFile, keyFile, caFile };
}

/** What `-network` and `-address` name; a URL or the path of a socket says itself what it is. */
function pairUrl(values: BrokerValues, given: ReadonlySet<string>, hasTls: boolean): string {
  const network = values.network ?? 'tcp';
  const address = values.address ?? (network === 'unix' ? DEFAULT_SOCKET_PATH : DEFAULT_ADDRESS);
  if (isUrl(address) || (isPath(address) && !given.has('network'))) {
    const [url] = urlsOf('frames', [isUrl(address) ? address : `unix://${address}`]);
    if (given.has('network') && !url.startsWith(`${network}://`)) {
      throw new UsageError(`-network ${network} and -address ${shownAddress(address)} do not go together`);
    }
    return url;
  }
  const secured: Readonly<Partial<Record<string, string>>> = hasTls ? { tcp: 'tls', ws: 'wss' } : {};
  return urlsOf('frames', [`${secured[network] ?? network}://${address}`])[0];
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
