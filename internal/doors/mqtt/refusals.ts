import type { Logger } from '../../broker/broker.ts';
import { BrokerError, type ErrorCode, type ErrorKind } from '../../errors.ts';
import { MqttError } from '../../protocol/mqtt/mqtt-error.ts';
import type { PropertyCarrier } from '../../protocol/mqtt/properties.ts';
import {
  ConnackReturnCode,
  mayCarry,
  ReasonCode,
  type ReasonName,
} from '../../protocol/mqtt/reason-codes.ts';

/** The reason codes of version 5 for refusals of the broker. A code that is not here has the one of its kind. */
const REASONS: Partial<Record<ErrorCode, ReasonName>> = {
  'malformed-packet': 'malformedPacket',
  'protocol-error': 'protocolError',
  'unsupported-version': 'unsupportedVersion',
  'packet-too-large': 'packetTooLarge',
  'message-too-large': 'packetTooLarge',
  'receive-maximum-exceeded': 'receiveMaximumExceeded',
  'invalid-topic-alias': 'invalidTopicAlias',
  'unknown-authentication': 'badAuthenticationMethod',
  'invalid-client-id': 'invalidClientId',
  'invalid-topic': 'invalidTopicName',
  'reserved-topic': 'notAuthorized',
  'invalid-filter': 'invalidTopicFilter',
  'bad-credentials': 'badUserNameOrPassword',
  'credentials-expired': 'notAuthorized',
  'not-authorized': 'notAuthorized',
  'too-many-logins': 'serverBusy',
  'too-many-clients': 'serverBusy',
  'too-many-connections': 'quotaExceeded',
  'connection-rate-exceeded': 'connectionRateExceeded',
  'too-many-sessions': 'quotaExceeded',
  'too-many-subscriptions': 'quotaExceeded',
  'too-many-logs': 'quotaExceeded',
  'too-many-retained': 'quotaExceeded',
  'session-queue-full': 'quotaExceeded',
  'store-unavailable': 'implementationSpecific',
  'slow-consumer': 'quotaExceeded',
  'no-log': 'implementationSpecific',
  'taken-over': 'sessionTakenOver',
  'ended-by-admin': 'administrativeAction',
  'connect-timeout': 'maximumConnectTime',
  'keepalive-timeout': 'keepAliveTimeout',
  'taken-for-gone': 'implementationSpecific',
  'server-shutdown': 'serverShuttingDown',
};

/** What packets may carry that may not carry the precise one. */
const REASON_OF_KIND: Partial<Record<ErrorKind, ReasonName>> = {
  denied: 'notAuthorized',
  'too-large': 'quotaExceeded',
};

/** The reason code of a refusal in version 5: the precise one if the packet that says so may carry it. */
export function reasonCodeOf({ code, kind }: BrokerError, carrier: PropertyCarrier): number {
  const reasonCode = ReasonCode[REASONS[code] ?? 'unspecified'];
  if (mayCarry(carrier, reasonCode)) return reasonCode;
  const ofKind = ReasonCode[REASON_OF_KIND[kind] ?? 'unspecified'];
  return mayCarry(carrier, ofKind) ? ofKind : ReasonCode.unspecified;
}

/** The return code of a CONNACK that refuses before version 5; undefined where it closes without one. */
export function returnCodeOf({ code, kind }: BrokerError): number | undefined {
  if (code === 'unsupported-version') return ConnackReturnCode.unacceptableVersion;
  if (code === 'invalid-client-id') return ConnackReturnCode.identifierRejected;
  if (code === 'bad-credentials') return ConnackReturnCode.badUserNameOrPassword;
  if (kind === 'denied') return ConnackReturnCode.notAuthorized;
  return kind === 'unavailable' ? ConnackReturnCode.serverUnavailable : undefined;
}

/** What bytes that break the rules of MQTT are called by the broker. */
const CODES: Partial<Record<number, ErrorCode>> = {
  [ReasonCode.protocolError]: 'protocol-error',
  [ReasonCode.packetTooLarge]: 'packet-too-large',
  [ReasonCode.invalidTopicAlias]: 'invalid-topic-alias',
  [ReasonCode.invalidTopicName]: 'invalid-topic',
  [ReasonCode.unsupportedVersion]: 'unsupported-version',
};

/** Whatever was thrown while a client's bytes were looked at, as a refusal. */
export function refusalOf(error: unknown, logger: Logger): BrokerError {
  if (error instanceof BrokerError) return error;
  if (error instanceof MqttError) {
    return new BrokerError(CODES[error.reasonCode] ?? 'malformed-packet', error.message);
  }
  logger.error({ code: 'internal-error', error: (error as Error).stack }, 'a bug of the broker');
  return new BrokerError('internal-error');
}
