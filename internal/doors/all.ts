import type { DoorEntry } from './door.ts';
import { framesEntry } from './frames/entry.ts';
import { grpcEntry } from './grpc/entry.ts';
import type { GrpcOptions } from './grpc/options.ts';
import { httpEntry } from './http/entry.ts';
import type { HttpOptions } from './http/options.ts';
import { kafkaEntry } from './kafka/entry.ts';
import type { KafkaOptions } from './kafka/options.ts';
import { mqttEntry } from './mqtt/entry.ts';

/** The doors that are opened by an option of their own. */
export interface OptionalDoors {
  /** The door for Kafka's clients. Default: closed. */
  kafka?: KafkaOptions;
  /** The door for the clients of SMQ, which speak gRPC. Default: closed. */
  grpc?: GrpcOptions;
  /** The door for browsers, curl and Prometheus. Default: closed. */
  http?: HttpOptions;
}

/** Whose clients an address is for: tinymq's own and those of MQTT, Kafka's, those of SMQ, or those of HTTP. */
export type DoorName = 'frames' | keyof OptionalDoors;

/** Every door of the broker, in the order in which they are opened. */
export const DOORS: readonly DoorEntry[] = [framesEntry, mqttEntry, kafkaEntry, grpcEntry, httpEntry];
