/**
 * Every refusal, drop and disconnect of the broker: one stable code each, the rule behind it and what to do.
 * The same code stands in what the client is told, in the log and in the metrics. docs/errors.md is generated
 * from this table.
 */

import { RESERVED_NAMES } from './topic.ts';

/** The small set of kinds that each door translates into its protocol's own vocabulary. */
export type ErrorKind =
  | 'invalid'
  | 'not-found'
  | 'denied'
  | 'too-large'
  | 'unavailable'
  | 'conflict'
  | 'timeout'
  | 'slow';

interface ErrorEntry {
  kind: ErrorKind;
  /** The rule that was broken, as a sentence. */
  rule: string;
  /** What the person who reads it can do. */
  remedy: string;
}

export const ERRORS = {
  'not-connected': {
    kind: 'invalid',
    rule: 'The first frame of a connection is CONNECT.',
    remedy: 'Send CONNECT and wait for CONNACK before anything else.',
  },
  'unexpected-frame': {
    kind: 'invalid',
    rule: 'CONNECT comes once, and only the broker sends CONNACK, SUBACK, UNSUBACK and PONG.',
    remedy: 'Look for a client library that mixes up the two directions.',
  },
  'reserved-bits': {
    kind: 'invalid',
    rule: 'The four high bits of Type are zero unless both sides agreed on an extension.',
    remedy: 'Send plain frames, or agree on the extension in CONNECT.',
  },
  'invalid-offer': {
    kind: 'invalid',
    rule: 'The words behind the extensions in CONNECT have the form that docs/frames.md describes.',
    remedy: 'Correct the word that the message names.',
  },
  'invalid-properties': {
    kind: 'invalid',
    rule: 'A frame has only properties that the connection agreed on, each with a value that says something.',
    remedy: 'Offer the extension of the property in CONNECT, and compare its bytes with docs/frames.md.',
  },
  'invalid-client-id': {
    kind: 'invalid',
    rule: 'A client id is 1 to 65,535 bytes of UTF-8 without NUL.',
    remedy: 'Give the client an id.',
  },
  'invalid-topic': {
    kind: 'invalid',
    rule: 'A topic is 1 to 65,535 bytes of UTF-8 without NUL, + or #.',
    remedy: 'Publish to a plain topic; wildcards belong in filters.',
  },
  'reserved-topic': {
    kind: 'denied',
    rule: `${RESERVED_NAMES.join(', ')} and what is below them belong to the broker: clients may not publish there.`,
    remedy: 'Choose another topic.',
  },
  'invalid-filter': {
    kind: 'invalid',
    rule: 'A filter is levels split by /; + is a whole level, # the whole last one; $share/GROUP/FILTER shares it.',
    remedy: 'Correct the filter.',
  },
  'no-log': {
    kind: 'not-found',
    rule: 'Only messages that a log keeps can be read again.',
    remedy: 'Start the broker with -keep FILTER, so that the topics of that filter are kept.',
  },
  'log-unreadable': {
    kind: 'unavailable',
    rule: 'A replay ends where the store cannot be read.',
    remedy: 'Subscribe again; look into the log of the broker if it goes on.',
  },
  'too-many-subscriptions': {
    kind: 'unavailable',
    rule: 'One client holds a bounded number of filters.',
    remedy: 'Use wildcards, or spread the filters over several clients.',
  },
  'message-too-large': {
    kind: 'too-large',
    rule: 'A payload is at most -max-message bytes, and a log of a cluster takes less than max_payload of NATS.',
    remedy: 'Send less at once, or raise -max-message, or max_payload of the NATS servers.',
  },
  'bad-credentials': {
    kind: 'denied',
    rule: 'A client proves who it is before it is let in.',
    remedy: 'Check the user name and the password or token.',
  },
  'too-many-logins': {
    kind: 'unavailable',
    rule: 'A bounded number of passwords is checked at once, so that messages go on.',
    remedy: 'Try again in a second.',
  },
  'credentials-expired': {
    kind: 'denied',
    rule: 'A connection ends when the credentials that let it in do.',
    remedy: 'Get a new token and connect again.',
  },
  'not-authorized': {
    kind: 'denied',
    rule: 'The rules of the broker decide who may do what, on every door.',
    remedy: 'Ask whoever runs the broker for the permission.',
  },
  'too-many-connections': {
    kind: 'unavailable',
    rule: 'A limit says how many connections a user, a group or a client may have at once.',
    remedy: 'Close connections that are not needed, or ask whoever runs the broker for more.',
  },
  'connection-rate-exceeded': {
    kind: 'unavailable',
    rule: 'A limit says how often a user, a group or a client may connect; a loop of connects is slowed without one.',
    remedy: 'Wait longer after each failed connection; look for two programs with one client id.',
  },
  'rate-exceeded': {
    kind: 'unavailable',
    rule: 'A limit says how many messages and bytes a second a user, a group or a client may send and get.',
    remedy:
      'Send or subscribe to less, or ask whoever runs the broker for more. Over HTTP wait as long as Retry-After says.',
  },
  'too-many-clients': {
    kind: 'unavailable',
    rule: 'At most -max-clients are connected at once.',
    remedy: 'Try again later, or raise -max-clients.',
  },
  'ended-by-admin': {
    kind: 'denied',
    rule: 'Whoever runs the broker may end a connection.',
    remedy: 'Ask whoever runs the broker why.',
  },
  'taken-over': {
    kind: 'conflict',
    rule: 'A client id belongs to one connection; the newest takes it over.',
    remedy: 'Give each program its own id.',
  },
  'connect-timeout': {
    kind: 'timeout',
    rule: 'A connection sends CONNECT within -connect-timeout.',
    remedy: 'Send CONNECT right after the connection is open.',
  },
  'keepalive-timeout': {
    kind: 'timeout',
    rule: 'A connection is not silent for longer than -keepalive.',
    remedy: 'Send PING when there is nothing else to send.',
  },
  'slow-consumer': {
    kind: 'slow',
    rule: 'A subscriber takes its waiting messages within -slow-consumer-wait; after that -slow-consumer decides.',
    remedy: 'Read faster, subscribe to less, or raise -channel-bytes.',
  },
  'taken-for-gone': {
    kind: 'unavailable',
    rule: 'A broker of a cluster that the others do not hear counts as gone, and the wills of its clients are published.',
    remedy: 'Connect again; look at the way from this broker to NATS, and whether its machine stood still.',
  },
  'server-shutdown': {
    kind: 'unavailable',
    rule: 'The broker is stopping.',
    remedy: 'Connect again in a moment.',
  },
  'unsupported-protocol': {
    kind: 'invalid',
    rule: 'A listener speaks the protocols that it was opened for.',
    remedy: 'Connect to the port of that protocol.',
  },
  'malformed-http2': {
    kind: 'invalid',
    rule: 'A connection of gRPC keeps to HTTP/2 (RFC 9113, RFC 7541) and to its limits.',
    remedy: 'The log names the section that was broken: look for a faulty client, or for one that floods.',
  },
  'malformed-http-request': {
    kind: 'invalid',
    rule: 'A request has the path, the parameters and the headers that /openapi.json describes.',
    remedy: 'Compare the request with /openapi.json or docs/http.md.',
  },
  'no-such-route': {
    kind: 'not-found',
    rule: 'The HTTP door answers the paths that /openapi.json lists.',
    remedy: 'Look for a spelling mistake in the path.',
  },
  'method-not-allowed': {
    kind: 'invalid',
    rule: 'A path of the HTTP door has the methods that /openapi.json lists.',
    remedy: 'Use one of the methods that the header Allow names.',
  },
  'no-message': {
    kind: 'not-found',
    rule: 'A topic has a last message if that was retained, or if a log keeps the topic.',
    remedy: 'Publish with retain, or start the broker with -keep FILTER.',
  },
  'invalid-change': {
    kind: 'invalid',
    rule: 'Users, rules and limits have the form that docs/security.md describes.',
    remedy: 'Correct what the message names.',
  },
  'already-exists': {
    kind: 'conflict',
    rule: 'Names of users, and ids of rules, are there once.',
    remedy: 'Choose another name, or change the one that is there.',
  },
  'no-such-object': {
    kind: 'not-found',
    rule: 'Clients, sessions, groups, users and rules are asked for by a name that is there.',
    remedy: 'Look for the name in its list; it may be gone by now.',
  },
  'declared-in-file': {
    kind: 'conflict',
    rule: 'What the file of -users names is changed in that file only.',
    remedy: 'Change the file; the broker reads it by itself.',
  },
  'group-not-empty': {
    kind: 'conflict',
    rule: 'What a group has committed is changed while it has no members, whose next commits would undo it.',
    remedy: 'Stop the members of the group first.',
  },
  'too-many-groups': {
    kind: 'unavailable',
    rule: 'Groups, and what they have committed, are bounded in number and bytes.',
    remedy: 'Remove groups that nobody needs.',
  },
  'request-too-large': {
    kind: 'too-large',
    rule: 'The body of a request that changes the broker is bounded.',
    remedy: 'Send less at once.',
  },
  'foreign-host': {
    kind: 'denied',
    rule: 'The Host of a request without TLS is an address, localhost, a name without dots, or one of -http-host.',
    remedy: 'Start the broker with -http-host NAME, or use TLS.',
  },
  'foreign-origin': {
    kind: 'denied',
    rule: 'A web page reaches the HTTP door if the door served it, or if its origin is one of -http-origin.',
    remedy: 'Start the broker with -http-origin ORIGIN.',
  },
  'failed-call': {
    kind: 'invalid',
    rule: 'A call of gRPC asks for what its method can give; the reason says what was wrong.',
    remedy: 'Compare the call with docs/grpc.md.',
  },
  'unknown-topic': {
    kind: 'not-found',
    rule: 'Records go to a topic that there is, and to one of its partitions.',
    remedy: 'Create the topic first, or start the broker with -auto-create.',
  },
  'invalid-batch': {
    kind: 'invalid',
    rule: 'A batch has the form of Kafka, and its records what the settings of their topic ask for, such as a key.',
    remedy: 'The reason names the record; look at the producer and at the settings of the topic.',
  },
  'out-of-sequence': {
    kind: 'conflict',
    rule: 'The batches of an idempotent producer come in their order, and from its newest instance.',
    remedy: 'Look for two producers with one transactional id, or for one that lost batches.',
  },
  'malformed-kafka-request': {
    kind: 'invalid',
    rule: 'A request is its size in four bytes, then the fields of its API and version.',
    remedy: 'Look for a client that speaks another protocol, or TLS, to the Kafka port.',
  },
  'unsupported-kafka-request': {
    kind: 'invalid',
    rule: 'A client sends the APIs and versions that ApiVersions names (docs/kafka.md).',
    remedy: 'Use a client that asks for them before it sends anything else.',
  },
  'malformed-packet': {
    kind: 'invalid',
    rule: 'An MQTT packet has the form that the specification of its version defines.',
    remedy:
      'Look for a client library that writes other bytes, or for a program that speaks another protocol.',
  },
  'protocol-error': {
    kind: 'invalid',
    rule: 'MQTT packets come in the order and with the values that the specification allows.',
    remedy: 'Look at what the client sent before; its library may have a bug.',
  },
  'unsupported-version': {
    kind: 'invalid',
    rule: 'The broker speaks MQTT 3.1, 3.1.1 and 5.0.',
    remedy: 'Choose one of these versions.',
  },
  'packet-too-large': {
    kind: 'too-large',
    rule: 'An MQTT packet is not larger than the Maximum Packet Size that CONNACK names.',
    remedy: 'Send less at once, or raise -max-message.',
  },
  'receive-maximum-exceeded': {
    kind: 'invalid',
    rule: 'A client releases its QoS 2 messages, so that no more are open than the Receive Maximum that CONNACK names.',
    remedy: 'Answer PUBREC with PUBREL, and wait for PUBCOMP before the next message.',
  },
  'invalid-topic-alias': {
    kind: 'invalid',
    rule: 'A topic alias is 1 to the Topic Alias Maximum that CONNACK names, and known before it stands alone.',
    remedy: 'Send the topic together with a new alias, on each connection.',
  },
  'unknown-authentication': {
    kind: 'denied',
    rule: 'Enhanced authentication goes by one of the SASL mechanisms of the broker.',
    remedy: 'Name one that the reason lists, or connect with user name and password.',
  },
  'too-many-traces': {
    kind: 'unavailable',
    rule: 'A bounded number of traces runs at once.',
    remedy: 'End another one, or wait until it ends by itself.',
  },
  'too-many-files': {
    kind: 'unavailable',
    rule: 'The system bounds how many files and connections a process has open.',
    remedy: 'Raise the limit of open files (ulimit -n, LimitNOFILE), or lower -max-clients.',
  },
  'too-many-logs': {
    kind: 'unavailable',
    rule: 'Logs are bounded in number, counted by their partitions.',
    remedy: 'Delete topics that nobody needs, or keep many live topics in one log with -keep FILTER=NAME.',
  },
  'too-many-retained': {
    kind: 'unavailable',
    rule: 'Retained messages are bounded in number and bytes, and those of one user or client by limits.',
    remedy: 'Clear topics that nobody needs, with an empty retained message.',
  },
  'too-many-sessions': {
    kind: 'unavailable',
    rule: 'Sessions that outlast their connections are bounded in number; the oldest without messages make room.',
    remedy: 'Use clean sessions, or let sessions expire (-session-expiry before version 5).',
  },
  'store-unavailable': {
    kind: 'unavailable',
    rule: 'The broker stores a message before it acknowledges it.',
    remedy: 'Send it again later; look at the disk of the broker.',
  },
  'session-queue-full': {
    kind: 'slow',
    rule: 'The queue of a session is bounded by -session-queue, by -session-queue-bytes and by limits of its client.',
    remedy: 'Let the client connect more often, acknowledge faster or subscribe to less, or raise the bound.',
  },
  'message-expired': {
    kind: 'timeout',
    rule: 'A message is sent within the time that its publisher gave it (Message Expiry Interval), or not at all.',
    remedy: 'Give messages more time, or let the subscriber connect more often.',
  },
  'rejected-by-client': {
    kind: 'invalid',
    rule: 'A client that acknowledges may reject a message, which is then not sent again.',
    remedy: 'Read the reason that the client gave.',
  },
  'session-expired': {
    kind: 'timeout',
    rule: 'A session whose client is away ends when the time is over that the client asked for, or -session-expiry.',
    remedy: 'Let the client come back sooner, or ask for a longer Session Expiry Interval.',
  },
  'log-damaged': {
    kind: 'unavailable',
    rule: 'Records of a log reach live subscribers as long as the store can read them.',
    remedy: 'Look at the disk of the broker; the messages are lost for the subscribers of then.',
  },
  'tls-handshake-failed': {
    kind: 'denied',
    rule: "With TLS both sides agree on a version and accept each other's certificate before anything is said.",
    remedy:
      'Mend what the reason names: the client speaks TLS to this listener, trusts the CA of its certificate, and shows one of its own where -tls-ca asks for it; neither has expired.',
  },
  'connection-lost': {
    kind: 'unavailable',
    rule: 'A connection ends with DISCONNECT; this one broke off.',
    remedy: 'Nothing, if the client meant to go.',
  },
  'internal-error': {
    kind: 'unavailable',
    rule: 'The broker itself failed.',
    remedy: 'Report it, with the log.',
  },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;

/** What a refusal was about, for whoever looks after the broker. Clients see none of it but what the message says. */
export interface RefusedThing {
  /** A topic or filter as the client wrote it. */
  readonly topic?: string | undefined;
  /** The rule or limit that decided. */
  readonly rule?: string | undefined;
  /** Bytes of the message. */
  readonly bytes?: number | undefined;
  /** Who the client said it was. */
  readonly user?: string | undefined;
  /** What was wrong in particular, where clients must not learn it. */
  readonly cause?: string | undefined;
}

/** A refusal by the broker. The message is for people: `code: detail`. */
export class BrokerError extends Error {
  override readonly name = 'BrokerError';
  readonly code: ErrorCode;
  readonly about: RefusedThing;

  /** @param detail what was wrong and where, without secrets; the rule itself where nothing is to be added. */
  constructor(code: ErrorCode, detail: string = ERRORS[code].rule, about: RefusedThing = NOTHING_MORE) {
    super(`${code}: ${detail}`);
    this.code = code;
    this.about = about;
  }

  get kind(): ErrorKind {
    return ERRORS[this.code].kind;
  }
}

const NOTHING_MORE: RefusedThing = {};

/** A name as it may stand in a field of the log: control characters escaped, and not longer than a line. */
export function nameForLog(name: string, maxCharacters = 80): string {
  const shortened = name.length > maxCharacters ? `${name.slice(0, maxCharacters)}…` : name;
  return shortened.replace(/\p{Cc}/gu, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** The same within a sentence. */
export function quoted(name: string, maxCharacters = 80): string {
  return `'${nameForLog(name, maxCharacters)}'`;
}
