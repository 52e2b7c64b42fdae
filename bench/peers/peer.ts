import type { Transport } from '../workload.ts';

/** Where a peer listens. */
export type Address =
  | { transport: 'tcp'; port: number }
  | { transport: 'tls'; port: number; caFile: string }
  | { transport: 'unix'; path: string };

/** How a peer is to be started. */
export interface StartRequest {
  address: Address;
  certificates: Certificates | undefined;
  /** A folder for this start only; it is removed afterwards. */
  folder: string;
  /** Whether sessions are to be kept on the disk. */
  keepsSessions: boolean;
  /** Topics whose messages are to be kept in a log, where there are any. */
  keptFilter: string | undefined;
}

/** PEM files of a certificate for 127.0.0.1. */
export interface Certificates {
  certFile: string;
  keyFile: string;
  /** The certificate of who signed it. */
  caFile: string;
}

export interface Command {
  program: string;
  args: readonly string[];
  environment?: Readonly<Record<string, string>>;
}

/** A message as a subscriber gets it. */
export interface Delivery {
  /** The size on the wire, in bytes. */
  bytes: number;
  /** Where in it the payload begins. */
  payloadOffset: number;
}

/**
 * A protocol, as far as a load generator needs it: what to write, and how long what comes back is. Topics and
 * filters are given in MQTT's notation.
 */
export interface Wire {
  /** @param keepAliveSeconds for a protocol in which the client says it; longer than any case unless given. */
  connect(clientId: string, keepAliveSeconds?: number): Uint8Array;
  /** @param id the subscription's number on its connection; all of a case have as many digits. */
  subscribe(filter: string, id: number): Uint8Array;
  unsubscribe(filter: string, id: number): Uint8Array;
  /** Asks for an answer that comes after the answers to everything before. */
  ping(clientId: string): Uint8Array;
  /** That answer: the last bytes of what arrives. */
  pong(clientId: string): Uint8Array;
  publish(topic: string, payload: Uint8Array, clientId: string): Uint8Array;
  delivery(topic: string, payloadBytes: number, publisherId: string, subscriptionId: number): Delivery;
  /** The server speaks first, in plain text, before TLS begins. */
  greetsBeforeTls: boolean;
  /** What the server asks on its own some time after CONNECT, once, and what to answer. */
  lateQuestion?: { question: Uint8Array; answer: Uint8Array };
}

/** Something to compare with: a {@link LivePeer}, a {@link KafkaPeer}, a {@link GrpcPeer}, or several of them; or a {@link DiskPeer}. */
export interface Peer {
  name: string;
  /** Not in cases that name nobody. */
  takesPartWhereNamed?: boolean;
  /** Why it cannot be run on this machine, or undefined where it can. */
  problem(): string | undefined;
}

/** A broker of live messages. */
export interface LivePeer extends Peer {
  transports: readonly Transport[];
  command(request: StartRequest): Command;
  wire: Wire;
  /** Where it speaks MQTT too, or only. */
  mqtt?: Wire;
}

/** A broker with a Kafka listener. */
export interface KafkaPeer extends Peer {
  kafka: readonly KafkaVariant[];
}

/** Brokers that are one. */
export interface ClusterPeer extends Peer {
  wire: Wire;
  /** @param folder where they keep what is theirs. @throws Error with what one said where it does not start. */
  start(folder: string, nodes: number): Promise<RunningCluster>;
}

export interface RunningCluster {
  nodes: readonly { pid: number; kafkaPort: number; liveAddress: Address }[];
  natsPids: readonly number[];
  /** The last of what the nodes said. */
  output(): string;
  end(): Promise<void>;
}

/** A broker with a gRPC listener for the clients of SMQ. */
export interface GrpcPeer extends Peer {
  /**
   * Starts it on the broker's core, with nothing in its logs, and waits until it listens.
   *
   * @param folder where it keeps everything.
   * @throws Error with what it said where it does not start.
   */
  startWithGrpc(folder: string): Promise<GrpcServer>;
}

/** No broker: the disk on its own, in the Kafka cases that write to it. */
export interface DiskPeer extends Peer {
  readonly isPlainFile: true;
}

/** A broker with a gRPC listener that is running. */
export interface GrpcServer {
  pid: number;
  grpcPort: number;
  /** The last of what it said. */
  output(): string;
  end(): Promise<void>;
}

/** A way in which a Kafka peer is set up. */
export interface KafkaVariant {
  /** What tables add to the peer's name; empty for nothing. */
  label: string;
  /** How long it is under load before it is measured. */
  warmUpSeconds: number;
  /**
   * Starts it on the broker's core and waits until it answers.
   *
   * @param folder where it keeps everything, or an earlier start has left it.
   * @throws Error with what it said where it does not start.
   */
  start(folder: string): Promise<KafkaServer>;
}

/** A broker with a Kafka listener that is running. */
export interface KafkaServer {
  pid: number;
  /** Where its Kafka listener is. */
  kafkaPort: number;
  /** Where it takes live messages, if it does. */
  liveAddress: Address | undefined;
  /** The last of what it said. */
  output(): string;
  end(): Promise<void>;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
}

/** A peer as it takes part in a case of MQTT: undefined where it cannot. */
export function speakingMqtt<P extends Pick<LivePeer, 'wire' | 'mqtt'>>(peer: P): P | undefined {
  return peer.mqtt === undefined ? undefined : { ...peer, wire: peer.mqtt };
}

export function isLivePeer(peer: Peer): peer is LivePeer {
  return 'command' in peer;
}

export function isClusterPeer(peer: Peer): peer is ClusterPeer {
  return 'start' in peer;
}

export function isKafkaPeer(peer: Peer): peer is KafkaPeer {
  return 'kafka' in peer;
}

export function isDiskPeer(peer: Peer): peer is DiskPeer {
  return 'isPlainFile' in peer;
}

export function isGrpcPeer(peer: Peer): peer is GrpcPeer {
  return 'startWithGrpc' in peer;
}
