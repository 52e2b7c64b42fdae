import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { Message, MessageProperties } from '../../broker/delivery/publication.ts';
import { BrokerError } from '../../errors.ts';
import { traceContextOf } from '../../lib/trace-context.ts';
import { httpUserProperties } from '../../limits/http.ts';
import type { StoredMessage } from '../../live/stored-messages.ts';

/**
 * The properties of a message as headers. Names and values of user properties are percent-encoded where they are
 * more than visible ASCII: `User-Property: unit=%C2%B0C`, a header for each, in their order.
 */
const USER_PROPERTY = 'user-property';
const RESPONSE_TOPIC = 'response-topic';
const CORRELATION_DATA = 'correlation-data';
/** What curl and forms say where nobody said anything. */
const UNSAID_TYPE = 'application/x-www-form-urlencoded';

/**
 * @param added more user properties, behind those of the headers: a browser joins headers of one name to one.
 * @throws BrokerError `malformed-http-request`.
 */
export function propertiesOf(
  request: IncomingMessage,
  added: readonly string[] = [],
): MessageProperties | undefined {
  const { headers, headersDistinct } = request;
  const properties: MessageProperties = {};
  const contentType = headers['content-type'];
  if (contentType !== undefined && contentType !== UNSAID_TYPE) properties.contentType = contentType;
  const responseTopic = headers[RESPONSE_TOPIC];
  if (responseTopic !== undefined) properties.responseTopic = decoded(String(responseTopic), RESPONSE_TOPIC);
  const correlationData = headers[CORRELATION_DATA];
  if (correlationData !== undefined) {
    properties.correlationData = new Uint8Array(Buffer.from(String(correlationData), 'base64'));
  }
  const named = [
    ...(headersDistinct[USER_PROPERTY] ?? []).map(userPropertyOfHeader),
    ...added.map(userPropertyOf),
  ];
  const userProperties = [...named, ...traceOf(request, named)];
  if (userProperties.length > httpUserProperties) {
    throw new BrokerError(
      'malformed-http-request',
      `a message has at most ${httpUserProperties} user properties`,
    );
  }
  if (userProperties.length > 0) properties.userProperties = userProperties;
  return Object.keys(properties).length === 0 ? undefined : properties;
}

/** The trace that the request belongs to, unless the message has one of its own. */
function traceOf({ headers }: IncomingMessage, named: readonly [string, string][]): [string, string][] {
  if (named.some(([name]) => name === 'traceparent')) return [];
  const context = traceContextOf((name) => headers[name]?.toString());
  return context.map(([name, value]) => [name, value]);
}

function userPropertyOfHeader(text: string): [name: string, value: string] {
  const [name, value] = userPropertyOf(text);
  return [decoded(name, USER_PROPERTY), decoded(value, USER_PROPERTY)];
}

function userPropertyOf(text: string): [name: string, value: string] {
  const equals = text.indexOf('=');
  if (equals < 1) throw new BrokerError('malformed-http-request', 'User-Property is NAME=VALUE');
  return [text.slice(0, equals), text.slice(equals + 1)];
}

function decoded(text: string, header: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new BrokerError('malformed-http-request', `${header} has a %-escape that is no UTF-8`);
  }
}

/** The headers of an answer that has the payload of a message as its body. */
export function headersOf(message: Message & Partial<StoredMessage>): Record<string, string | string[]> {
  const { properties = {}, clientId, offset, publishedAtMs } = message;
  const { contentType, responseTopic, correlationData, userProperties } = properties;
  const headers: Record<string, string | string[]> = {
    'content-type': isHeaderText(contentType) ? contentType : typeOf(message.payload),
    // Somebody's page in a payload is not a page of the broker.
    'content-security-policy': "sandbox; default-src 'none'",
    'tinymq-client-id': encoded(clientId),
  };
  if (offset !== undefined) headers['tinymq-offset'] = String(offset);
  if (publishedAtMs !== undefined && publishedAtMs >= 0) {
    headers['tinymq-published-at'] = new Date(publishedAtMs).toISOString();
  }
  if (responseTopic !== undefined) headers[RESPONSE_TOPIC] = encoded(responseTopic);
  if (correlationData !== undefined) {
    headers[CORRELATION_DATA] = Buffer.from(correlationData).toString('base64');
  }
  if (userProperties !== undefined && userProperties.length > 0) {
    headers[USER_PROPERTY] = userProperties.map(([name, value]) => `${encoded(name)}=${encoded(value)}`);
    const trace = traceContextOf((wanted) => userProperties.find(([name]) => name === wanted)?.[1]);
    Object.assign(headers, Object.fromEntries(trace));
  }
  return headers;
}

/** So that a browser shows what is text, where nobody said what it is. */
function typeOf(payload: Uint8Array): string {
  return isUtf8(payload) ? 'text/plain; charset=utf-8' : 'application/octet-stream';
}

/** A publisher of another door may call its content anything. */
function isHeaderText(text: string | undefined): text is string {
  return text !== undefined && /^[\x20-\x7e]+$/.test(text);
}

function encoded(text: string): string {
  return text.replace(/[^!-$&-<>-~]+/g, encodeURIComponent);
}
