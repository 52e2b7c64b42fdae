/** What both entries, for Node and for browsers, export beside `Client` and `connect`. */
export type { Address, Network } from './address.ts';
export type { Answer, RequestOptions } from './asking.ts';
export type { CredentialOptions, Secret } from './credentials.ts';
export {
  ClosedError,
  ConnectError,
  ConnectionLostError,
  InvalidMessageError,
  InvalidTopicError,
  ProtocolError,
  QueueFileError,
  QueueFullError,
  RefusedError,
  ResponseError,
  TimeoutError,
  TinymqError,
  UnsupportedError,
} from './errors.ts';
export type { ClientEvents, ClientState } from './events.ts';
export type { HeaderValues } from './headers.ts';
export { Message } from './message.ts';
export type {
  ConnectOptions,
  QueueOptions,
  ReconnectOptions,
  SessionOptions,
  WillOptions,
} from './options.ts';
export type { PublishOptions } from './publish-options.ts';
export type { StandardIssue, StandardSchema } from './standard-schema.ts';
export type { ReplayFrom, SubscribeOptions } from './subscribe-options.ts';
export { Subscription } from './subscription.ts';
export {
  type TopicCodec,
  type TypedMessage,
  type TypedSubscribeOptions,
  type TypedSubscription,
  TypedTopic,
  topic,
} from './typed-topic.ts';
export type { TlsOptions } from './wire.ts';
