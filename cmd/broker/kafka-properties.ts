import { readFileSync } from 'node:fs';
import { systemReason } from '../../internal/lib/system-reason.ts';
import type { KafkaLogDirs } from '../../pkg/embed/index.ts';
import { UsageError } from '../cli/options/program.ts';
import {
  type PropertiesListener,
  readServerProperties,
  type ServerProperties,
  ServerPropertiesError,
} from './server-properties.ts';

/** What a Kafka's `server.properties` says to this broker. */
export interface KafkaProperties {
  /** URLs. */
  listen: string[];
  advertised: string | undefined;
  logDirs: KafkaLogDirs;
  partitions: number | undefined;
  /** In milliseconds; 0: for ever. Undefined where the file does not say. */
  retentionMs: number | undefined;
  retentionBytes: number | undefined;
}

/** @throws UsageError where the file cannot be read, or says what this broker cannot do. */
export function readKafkaProperties(file: string): KafkaProperties {
  const properties = parsed(file);
  const { listeners, logDirs, metadataLogDir, segmentBytes, offsetsPartitionCount } = properties;
  return {
    listen: (listeners.length === 0 ? [DEFAULT_LISTENER] : listeners).map((each) => urlOf(each, file)),
    advertised: advertisedOf(properties, file),
    logDirs: {
      directories: logDirs,
      metadataDirectory: metadataLogDir,
      segmentBytes,
      offsetsPartitions: offsetsPartitionCount,
    },
    partitions: properties.partitionCount,
    retentionMs: withoutEnd(properties.retentionMs),
    retentionBytes: withoutEnd(properties.retentionBytes),
  };
}

function parsed(file: string): ServerProperties {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${systemReason(error)}`);
  }
  try {
    return readServerProperties(text);
  } catch (error) {
    if (!(error instanceof ServerPropertiesError)) throw error;
    throw new UsageError(`${file}: ${error.message}`);
  }
}

/** What Kafka listens on when nothing is said. */
const DEFAULT_LISTENER: PropertiesListener = {
  name: 'PLAINTEXT',
  host: '',
  port: 9092,
  securityProtocol: 'PLAINTEXT',
};

const SCHEMES = { PLAINTEXT: 'tcp', SSL: 'tls' } as const;

function urlOf({ name, host, port, securityProtocol }: PropertiesListener, file: string): string {
  if (securityProtocol !== 'PLAINTEXT' && securityProtocol !== 'SSL') {
    throw new UsageError(`${file}: listener ${name} asks for SASL, which is not served`);
  }
  const isEverywhere = host === '' || host === '0.0.0.0';
  return `${SCHEMES[securityProtocol]}://${isEverywhere ? '' : bracketed(host)}:${port}`;
}

/** One address for all clients; without it each finds the broker where it dialled. */
function advertisedOf({ advertisedListeners }: ServerProperties, file: string): string | undefined {
  const addresses = new Set(advertisedListeners.map(({ host, port }) => `${bracketed(host)}:${port}`));
  if (addresses.size > 1) {
    throw new UsageError(
      `${file}: advertised.listeners names several addresses; without it each client finds the broker where it dialled`,
    );
  }
  return [...addresses][0];
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** Kafka writes -1 where a flag has 0. */
function withoutEnd(value: number | undefined): number | undefined {
  return value === -1 ? 0 : value;
}
