import type { brokerProgram } from '../../internal/config/broker.ts';
import type { Values } from '../../internal/config/option.ts';
import { UsageError } from '../../internal/config/program.ts';
import { isSecure, parseEndpoint } from '../../internal/transport/endpoint.ts';
import { DEFAULT_SOCKET_PATH } from '../../pkg/client/address.ts';
import type { CertificateFiles } from '../../pkg/embed/index.ts';

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
  const listen = values.listen.flatMap((item) => item.split(','));
  const others = [...values.kafka, ...values.grpc];
  const isTlsElsewhere = listen.some(speaksTls) || others.length > 0 || ofKafka.some(speaksTls);
  const namesPair = given.has('network') || given.has('address') || (hasTls && !isTlsElsewhere);
  if (namesPair) urls.push(pairUrl(values, hasTls));
  urls.push(...listen);
  const kafka = doorUrls('kafka', values.kafka, hasTls);
  const grpc = doorUrls('grpc', values.grpc, hasTls);
  if (kafka.length === 0) kafka.push(...ofKafka);
  const areDefaults = urls.length === 0 && kafka.length === 0 && grpc.length === 0;
  if (areDefaults) {
    urls.push(...DEFAULT_LISTENERS);
    kafka.push(...DEFAULT_KAFKA_LISTENERS);
    grpc.push(...DEFAULT_GRPC_LISTENERS);
  }
  const all = [...urls, ...kafka, ...grpc];
  for (const url of all) checkUrl(url, hasTls);
  if (hasTls && !all.some(speaksTls)) {
    throw new UsageError('-tls-cert is of no use: no listener speaks TLS');
  }
  return { urls, kafka, grpc, areDefaults };
}

/** Where there is a certificate, an address without a scheme is never left in the clear. */
function doorUrls(flag: string, items: readonly string[], hasTls: boolean): string[] {
  return items
    .flatMap((item) => item.split(','))
    .map((text) => {
      if (!text.includes('://')) return `${hasTls ? 'tls' : 'tcp'}://${text}`;
      if (/^(tcp|tls):/.test(text)) return text;
      throw new UsageError(`-${flag} is host:port, tcp:// or tls://, not '${text}'`);
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

function pairUrl(values: BrokerValues, hasTls: boolean): string {
  const network = values.network ?? 'tcp';
  if (network === 'unix') return `unix://${values.address ?? DEFAULT_SOCKET_PATH}`;
  const secured = { tcp: 'tls', ws: 'wss' } as const;
  const scheme = hasTls && network in secured ? secured[network as 'tcp' | 'ws'] : network;
  return `${scheme}://${values.address ?? DEFAULT_ADDRESS}`;
}

function speaksTls(url: string): boolean {
  return url.startsWith('tls://') || url.startsWith('wss://');
}

function checkUrl(url: string, hasTls: boolean): void {
  let needsTls: boolean;
  try {
    needsTls = isSecure(parseEndpoint(url));
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
  if (needsTls && !hasTls) throw new UsageError(`${url} needs -tls-cert and -tls-key`);
}
