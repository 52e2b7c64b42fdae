/**
 * A broker inside an app or a test:
 *
 *     await using broker = await startBroker({ listen: ['tcp://localhost:0'] });
 *     const client = await connect(broker.url);
 *
 * @packageDocumentation
 */
import '../../internal/lib/needed-runtime.ts';

export type {
  Authenticator,
  Credentials,
  Refusal,
  SaslExchange,
  SaslStep,
} from '../../internal/access/authenticator.ts';
export type { Guard } from '../../internal/access/guard.ts';
export type { Identity, Peer } from '../../internal/access/identity.ts';
export type { Action, Policy, Resource, ResourceKind } from '../../internal/access/policy.ts';
export type { TokenOptions } from '../../internal/access/users/tokens/tokens.ts';
export type { Logger } from '../../internal/broker/broker.ts';
export type { SlowConsumerPolicy } from '../../internal/broker/delivery/channel.ts';
export type { GrpcOptions } from '../../internal/doors/grpc/options.ts';
export type { HttpOptions } from '../../internal/doors/http/options.ts';
export type { KafkaOptions } from '../../internal/doors/kafka/options.ts';
export { type Clock, type ClockTimer, MovableClock } from '../../internal/lib/clock.ts';
export { UnprotectedError } from '../../internal/server/exposure.ts';
export type { BrokerOptions, DoorName, Setting } from '../../internal/server/options.ts';
export { type BrokerStats, type RunningBroker, startBroker } from '../../internal/server/start-broker.ts';
export type { ClusterOption, LogOption, LogsOptions } from '../../internal/server/storage.ts';
export type { KafkaLogDirs } from '../../internal/server/stored-logs.ts';
export {
  type CutOptions,
  Faults,
  type RefusedClient,
  type WhichClients,
} from '../../internal/server/testing/faults.ts';
export type { HeaderValues } from '../../internal/server/testing/headers.ts';
export type { TestedBroker } from '../../internal/server/testing/open-testing.ts';
export type { BrokerPublishOptions } from '../../internal/server/testing/publish.ts';
export type { RecordedMessage, WaitOptions } from '../../internal/server/testing/recording.ts';
export type { CertificateFiles } from '../../internal/transport/certificates.ts';
export { ListenError } from '../../internal/transport/listener.ts';
