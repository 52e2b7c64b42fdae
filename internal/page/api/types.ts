/** What the operations of the HTTP door answer, as far as the page shows it (docs/http.md). */

export type Health = 'pass' | 'warn' | 'fail';

export interface Check {
  status: Health;
  problem?: string;
  [measured: string]: string | number | undefined;
}

export interface DoorFacts {
  name: string;
  connections: number;
  messagesIn: number;
  messagesOut: number;
  requests: number;
  bytesIn: number;
  bytesOut: number;
}

export interface Overview {
  version: string;
  startedAt: string;
  listeners: readonly { door: string; url: string }[];
  store: {
    kind: string;
    folders?: readonly string[];
    format?: number;
    servers?: readonly string[];
    bytes?: number;
    freeBytes?: number;
  };
  health: Health;
  checks: Readonly<Record<string, Check>>;
  doors: readonly DoorFacts[];
  sessions: number;
  retained: number;
  subscriptions: number;
  logs: number;
  droppedByCode: Readonly<Record<string, number>>;
}

export interface History {
  stepMs: number;
  times: readonly number[];
  series: Readonly<Record<string, readonly (number | null)[]>>;
}

/** A page of a list. */
export interface Paged {
  total?: number;
  /** What to say as `after` for the following ones. */
  next?: string;
}

export interface ClientFacts {
  id: number;
  door: string;
  clientId: string;
  user?: string;
  remote: string;
  listener: string;
  sinceMs: number;
  receivedBytes: number;
  sentBytes: number;
  received: number;
  sent: number;
  requests: number;
  waiting: number;
}

export interface Clients extends Paged {
  clients: readonly ClientFacts[];
}

/** What became of a message or a connection. */
export interface Fate {
  at: string;
  /** When it happened first, where it happened again. */
  since?: string;
  outcome: string;
  code: string;
  message: string;
  remedy: string;
  /** What clients must not learn. */
  cause?: string;
  client?: string;
  user?: string;
  remote?: string;
  door?: string;
  topic?: string;
  rule?: string;
  count: number;
  bytes?: number;
}

export interface Fates {
  fates: readonly Fate[];
}

export interface SessionFacts {
  clientId: string;
  user?: string;
  isConnected: boolean;
  endedAt?: string;
  expiryMs: number | null;
  waitingMessages: number;
  waitingBytes: number;
  unacknowledgedMessages: number;
  subscriptions: number;
}

export interface Sessions extends Paged {
  sessions: readonly SessionFacts[];
}

export interface RetainedFacts {
  topic: string;
  payloadBytes: number;
  clientId: string;
  qos: number;
  expiresAt?: string;
}

export interface RetainedMessages extends Paged {
  retained: readonly RetainedFacts[];
}

export interface LogFacts {
  partitions: number;
  records: number;
  bytes: number;
}

export interface LogPartition {
  partition: number;
  firstOffset: number;
  nextOffset: number;
  bytes: number;
  /** The node that leads it. */
  leader: number | null;
}

export interface LogDetails {
  partitions: readonly LogPartition[];
  partitionCount: number;
}

/** A broker of a cluster, as the one that is asked sees it. */
export interface NodeFacts {
  node: number;
  self: boolean;
  coordinator: boolean;
  version?: string;
  host?: string;
  startedAt?: string;
  listeners?: readonly { door: string; url: string }[];
  clients?: number;
  shards?: number;
  link?: { filters: number; waitingBytes: number; lost: number; slow: boolean };
}

export interface TopicFacts {
  name: string;
  topic: string;
  hasChildren: boolean;
  retained: boolean;
  /** The beginning of its retained message, where that is text. */
  value?: string;
  log?: LogFacts;
  /** Live messages a second. */
  perSecond?: number;
  /** Messages a second, as far as the page knows. */
  rate?: number;
}

export interface TreeLevel extends Paged {
  under: string;
  children: readonly TopicFacts[];
}

export interface Message {
  topic: string;
  payload: string;
  encoding?: 'base64';
  clientId: string;
  qos?: number;
  retain?: boolean;
  contentType?: string;
  responseTopic?: string;
  correlationData?: string;
  userProperties?: readonly { name: string; value: string }[];
  expiresAt?: string;
  log?: string;
  partition?: number;
  offset?: number;
  publishedAt?: string;
}

export interface GroupSummary {
  id: string;
  state: string;
  members: number;
  lag?: number;
}

export interface Groups extends Paged {
  groups: readonly GroupSummary[];
}

export interface User {
  name: string;
  enabled: boolean;
  groups: readonly string[];
  hasPassword: boolean;
  mechanisms: readonly string[];
  origin: 'store' | 'file';
}

export interface Rule {
  position: number;
  id: string;
  origin: 'store' | 'file';
  text: string;
  rule: Readonly<Record<string, unknown>>;
}

export interface Verdict {
  isAllowed: boolean;
  reason: string;
  isKnownUser: boolean;
  rule?: { id: string; position: number; text: string; origin: string };
}

/** Something that a connection has, and would not have any more. */
export interface Loss {
  client: string;
  user?: string;
  door: string;
  remote: string;
  /** A subscription that ends; undefined where the connection does. */
  filter?: string;
  reason: string;
  rule?: string;
}

/** What a change of users or rules would end. */
export interface Preview {
  mayYouAdminister: boolean;
  mayAnybodyAdminister: boolean;
  /** Whether clients have to show from then on who they are, and had not to before. */
  closes: boolean;
  losses: readonly Loss[];
  lossCount: number;
  verdict?: { before: Verdict; after: Verdict };
}

export interface Me {
  user?: string;
  groups?: readonly string[];
  may: Readonly<Record<string, boolean>>;
}

export interface ClientDetails extends ClientFacts {
  groups?: readonly string[];
  certificateName?: string;
  credentialsExpireAt?: string;
  filters: readonly string[];
  filterCount: number;
  session?: SessionFacts;
}

export interface GroupMember {
  memberId: string;
  groupInstanceId?: string;
  clientId: string;
  clientHost: string;
  assigned: readonly { topic: string; partition: number }[];
}

/** How far a group has read a partition. */
export interface GroupPartition {
  topic: string;
  partition: number;
  committedOffset?: number;
  committedAt?: string;
  memberId?: string;
  endOffset?: number;
  lag?: number;
}

export interface GroupDetails {
  id: string;
  state: string;
  lag: number;
  members: readonly GroupMember[];
  partitions: readonly GroupPartition[];
}

export interface Limit {
  id: string;
  origin: 'store' | 'file';
  text: string;
  limit: Readonly<Record<string, unknown>>;
}

/** Something that a message met on its way. */
export interface Step {
  at: string;
  step: string;
  topic?: string;
  client?: string;
  publisher?: string;
  user?: string;
  door?: string;
  filters?: readonly string[];
  bytes?: number;
  log?: string;
  partition?: number;
  offset?: number;
  code?: string;
  message?: string;
  rule?: string;
}
