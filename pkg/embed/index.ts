/**
 * A broker inside an app or a test:
 *
 *     await using broker = await startBroker({ listen: ['tcp://localhost:0'] });
 *     const client = await connect(broker.url);
 *
 * @packageDocumentation
 */
import '../../internal/needed-runtime.ts';

export type { Authenticator, Credentials, Refusal } from '../../internal/access/authenticator.ts';
export type { Guard } from '../../internal/access/guard.ts';
export type { Identity, Peer } from '../../internal/access/identity.ts';
export type { Action, Policy, Resource, ResourceKind } from '../../internal/access/policy.ts';
export type { Logger } from '../../internal/broker/broker.ts';
export type { SlowConsumerPolicy } from '../../internal/broker/channel.ts';
export type { CertificateFiles } from '../../internal/transport/certificates.ts';
export { ListenError } from '../../internal/transport/listener.ts';
export type { BrokerOptions, DoorName } from './broker-options.ts';
export type { GrpcOptions } from './open-grpc.ts';
export type { KafkaOptions } from './open-kafka.ts';
export type { KafkaLogDirs, LogOption, LogsOptions } from './open-logs.ts';
export { type BrokerStats, type RunningBroker, startBroker } from './start-broker.ts';
