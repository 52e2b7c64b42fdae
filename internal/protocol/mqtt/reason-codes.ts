/**
 * The reason codes of MQTT 5 in one table: number, the specification's name, and the packets that may carry it
 * (MQTT 5, section 2.4).
 */

/** A packet, as this table names it. */
type Carrier =
  | 'connack'
  | 'puback'
  | 'pubrec'
  | 'pubrel'
  | 'pubcomp'
  | 'suback'
  | 'unsuback'
  | 'disconnect'
  | 'auth';

interface ReasonEntry {
  code: number;
  name: string;
  on: readonly Carrier[];
}

const PUBLISH_ANSWERS = ['puback', 'pubrec'] as const;
const SUBSCRIBE_ANSWERS = ['suback', 'unsuback'] as const;

export const REASONS = {
  success: {
    code: 0x00,
    name: 'Success',
    on: ['connack', ...PUBLISH_ANSWERS, 'pubrel', 'pubcomp', 'unsuback', 'auth', 'disconnect', 'suback'],
  },
  grantedQos1: { code: 0x01, name: 'Granted QoS 1', on: ['suback'] },
  grantedQos2: { code: 0x02, name: 'Granted QoS 2', on: ['suback'] },
  disconnectWithWill: { code: 0x04, name: 'Disconnect with Will Message', on: ['disconnect'] },
  noMatchingSubscribers: { code: 0x10, name: 'No matching subscribers', on: PUBLISH_ANSWERS },
  noSubscriptionExisted: { code: 0x11, name: 'No subscription existed', on: ['unsuback'] },
  continueAuthentication: { code: 0x18, name: 'Continue authentication', on: ['auth'] },
  reAuthenticate: { code: 0x19, name: 'Re-authenticate', on: ['auth'] },
  unspecified: {
    code: 0x80,
    name: 'Unspecified error',
    on: ['connack', ...PUBLISH_ANSWERS, ...SUBSCRIBE_ANSWERS, 'disconnect'],
  },
  malformedPacket: { code: 0x81, name: 'Malformed Packet', on: ['connack', 'disconnect'] },
  protocolError: { code: 0x82, name: 'Protocol Error', on: ['connack', 'disconnect'] },
  implementationSpecific: {
    code: 0x83,
    name: 'Implementation specific error',
    on: ['connack', ...PUBLISH_ANSWERS, ...SUBSCRIBE_ANSWERS, 'disconnect'],
  },
  unsupportedVersion: { code: 0x84, name: 'Unsupported Protocol Version', on: ['connack'] },
  invalidClientId: { code: 0x85, name: 'Client Identifier not valid', on: ['connack'] },
  badUserNameOrPassword: { code: 0x86, name: 'Bad User Name or Password', on: ['connack'] },
  notAuthorized: {
    code: 0x87,
    name: 'Not authorized',
    on: ['connack', ...PUBLISH_ANSWERS, ...SUBSCRIBE_ANSWERS, 'disconnect'],
  },
  serverUnavailable: { code: 0x88, name: 'Server unavailable', on: ['connack'] },
  serverBusy: { code: 0x89, name: 'Server busy', on: ['connack', 'disconnect'] },
  banned: { code: 0x8a, name: 'Banned', on: ['connack'] },
  serverShuttingDown: { code: 0x8b, name: 'Server shutting down', on: ['disconnect'] },
  badAuthenticationMethod: {
    code: 0x8c,
    name: 'Bad authentication method',
    on: ['connack', 'disconnect'],
  },
  keepAliveTimeout: { code: 0x8d, name: 'Keep Alive timeout', on: ['disconnect'] },
  sessionTakenOver: { code: 0x8e, name: 'Session taken over', on: ['disconnect'] },
  invalidTopicFilter: {
    code: 0x8f,
    name: 'Topic Filter invalid',
    on: [...SUBSCRIBE_ANSWERS, 'disconnect'],
  },
  invalidTopicName: {
    code: 0x90,
    name: 'Topic Name invalid',
    on: ['connack', ...PUBLISH_ANSWERS, 'disconnect'],
  },
  packetIdInUse: {
    code: 0x91,
    name: 'Packet Identifier in use',
    on: [...PUBLISH_ANSWERS, ...SUBSCRIBE_ANSWERS],
  },
  packetIdNotFound: { code: 0x92, name: 'Packet Identifier not found', on: ['pubrel', 'pubcomp'] },
  receiveMaximumExceeded: { code: 0x93, name: 'Receive Maximum exceeded', on: ['disconnect'] },
  invalidTopicAlias: { code: 0x94, name: 'Topic Alias invalid', on: ['disconnect'] },
  packetTooLarge: { code: 0x95, name: 'Packet too large', on: ['connack', 'disconnect'] },
  messageRateTooHigh: { code: 0x96, name: 'Message rate too high', on: ['disconnect'] },
  quotaExceeded: {
    code: 0x97,
    name: 'Quota exceeded',
    on: ['connack', ...PUBLISH_ANSWERS, 'suback', 'disconnect'],
  },
  administrativeAction: { code: 0x98, name: 'Administrative action', on: ['disconnect'] },
  invalidPayloadFormat: {
    code: 0x99,
    name: 'Payload format invalid',
    on: ['connack', ...PUBLISH_ANSWERS, 'disconnect'],
  },
  retainNotSupported: { code: 0x9a, name: 'Retain not supported', on: ['connack', 'disconnect'] },
  qosNotSupported: { code: 0x9b, name: 'QoS not supported', on: ['connack', 'disconnect'] },
  useAnotherServer: { code: 0x9c, name: 'Use another server', on: ['connack', 'disconnect'] },
  serverMoved: { code: 0x9d, name: 'Server moved', on: ['connack', 'disconnect'] },
  sharedNotSupported: {
    code: 0x9e,
    name: 'Shared Subscriptions not supported',
    on: ['suback', 'disconnect'],
  },
  connectionRateExceeded: { code: 0x9f, name: 'Connection rate exceeded', on: ['connack', 'disconnect'] },
  maximumConnectTime: { code: 0xa0, name: 'Maximum connect time', on: ['disconnect'] },
  subscriptionIdsNotSupported: {
    code: 0xa1,
    name: 'Subscription Identifiers not supported',
    on: ['suback', 'disconnect'],
  },
  wildcardsNotSupported: {
    code: 0xa2,
    name: 'Wildcard Subscriptions not supported',
    on: ['suback', 'disconnect'],
  },
} as const satisfies Record<string, ReasonEntry>;

export type ReasonName = keyof typeof REASONS;

/** The number of each reason. */
export const ReasonCode = Object.fromEntries(
  Object.entries(REASONS).map(([name, { code }]) => [name, code]),
) as { readonly [Name in ReasonName]: number };

/** Codes from here on say that something failed. */
export const FIRST_FAILURE = 0x80;

const NAMES = new Map<number, string>(Object.values(REASONS).map(({ code, name }) => [code, name]));
const CARRIED = new Map<string, ReadonlySet<number>>();
for (const { code, on } of Object.values(REASONS)) {
  for (const carrier of on) CARRIED.set(carrier, new Set([...(CARRIED.get(carrier) ?? []), code]));
}

/** The specification's name of a reason code, for people. */
export function reasonName(code: number): string {
  return NAMES.get(code) ?? `0x${code.toString(16).padStart(2, '0')}`;
}

/** Whether a packet may carry a reason code. */
export function mayCarry(packet: string, code: number): boolean {
  return CARRIED.get(packet)?.has(code) ?? false;
}

/** Return codes of CONNACK before version 5 (MQTT 3.1.1, table 3.1). */
export const ConnackReturnCode = {
  accepted: 0,
  unacceptableVersion: 1,
  identifierRejected: 2,
  serverUnavailable: 3,
  badUserNameOrPassword: 4,
  notAuthorized: 5,
} as const;
/** The one failure that SUBACK of version 3.1.1 knows. */
export const SUBACK_FAILURE = 0x80;
