import type { AccessDirectory } from '../access/directory.ts';
import type { DirectoryPolicy } from '../access/directory-policy.ts';
import type { Identity } from '../access/identity.ts';
import type { Action, Resource, ResourceKind } from '../access/policy.ts';
import type { StoredPassword } from '../access/users/passwords.ts';
import type { Broker } from '../broker/broker.ts';
import type { Sessions } from '../broker/sessions/sessions.ts';
import type { Groups } from '../groups/groups.ts';
import type { Logs } from '../log/logs.ts';
import type { Connections } from '../observe/connections.ts';
import type { Health } from '../observe/health.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { History } from './history.ts';
import type { NodesView } from './nodes-view.ts';
import type { Setting } from './setting.ts';

/** What operations on users and rules work on, which a stopped broker has too. */
export interface AdminParts {
  readonly directory: AccessDirectory;
  /** Says which rule decides. */
  readonly rules: DirectoryPolicy;
  /** What is stored of a new password. @throws AccessError, BusyError. */
  makePassword(password: string): Promise<StoredPassword>;
}

/** What all others work on: a broker that runs. */
export interface BrokerParts extends AdminParts {
  readonly version: string;
  /** When it started, in milliseconds since 1970. */
  readonly startedAtMs: number;
  readonly broker: Broker;
  readonly sessions: Sessions;
  readonly connections: Connections;
  readonly metrics: Metrics;
  readonly health: Health;
  /** Undefined where nobody is there to look at it. */
  readonly history: History | undefined;
  /** Undefined where nothing is kept. */
  readonly logs: Logs | undefined;
  readonly groups: Groups | undefined;
  readonly store: StoreFacts;
  /** Makes a copy of the logs beside them; undefined where they do not lie in files of their own. @throws StoreError */
  readonly takeSnapshot:
    | ((withValues: boolean) => Promise<{ name: string; directories: readonly string[] }>)
    | undefined;
  /** What it was told when it was started; nothing of a broker in an app. */
  settings(): readonly Setting[];
  /** Where it listens now. */
  listeners(): readonly ListenerFacts[];
  /** The nodes of its cluster, itself among them. */
  nodes(): NodesView;
}

export const STORE_KINDS = ['memory', 'data-folder', 'kafka-directory', 'cluster'] as const;
export type StoreKind = (typeof STORE_KINDS)[number];

/** Where a broker keeps what is to last. */
export interface StoreFacts {
  readonly kind: StoreKind;
  /** The folders, or none. Those of a node of a cluster have its sessions only. */
  readonly folders: readonly string[];
  /** Of a data folder. */
  readonly format?: number;
  /** The NATS servers that a cluster keeps its logs on. */
  readonly servers?: readonly string[];
}

export interface ListenerFacts {
  readonly door: string;
  readonly url: string;
}

/** A schema of JSON (draft 7), as fastify takes it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Whoever asks for an operation: the access of a client, or the owner, who may do everything. */
export interface Caller {
  /** Undefined for the owner. */
  readonly identity?: Identity;
  may(action: Action, kind: ResourceKind, name: string): boolean;
  /** @throws BrokerError `not-authorized`. */
  check(action: Action, kind: ResourceKind, name: string): void;
}

/** The owner of the broker, who reaches its socket or its store. */
export const OWNER: Caller = { may: () => true, check() {} };

/** What somebody who is not the owner has to be allowed. */
export interface Needs<Input> {
  readonly action: Action;
  /** Of the fields in the path where it depends on them. */
  readonly resource: Resource | ((input: Input) => Resource);
}

/**
 * Something that is done to a running broker, or to the store of one that is stopped: by the tools over the owner's socket,
 * by the HTTP door, and by whatever else mounts the table of operations.
 */
export interface AdminOperation<Input = unknown, Output = unknown, Parts = AdminParts> {
  /** For the tools: `users add`. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With the fields of the input that stand in it behind colons. */
  readonly path: string;
  /** Undefined where everybody may ask, and is told what concerns it and nothing else. */
  readonly needs: Needs<Input> | undefined;
  /** Of the fields that stand in the path, of those behind the question mark, and of the body. */
  readonly parameters?: JsonSchema;
  readonly query?: JsonSchema;
  readonly body?: JsonSchema;
  /** Bytes of a body, where the usual ones are too few. */
  readonly maxBodyBytes?: number;
  readonly answer: JsonSchema;
  /** @throws BrokerError, AccessError, RuleError, StoreError. */
  run(parts: Parts, input: Input, caller: Caller): Promise<Output>;
}

/** Something that is watched for a while: an answer of server-sent events. */
export interface AdminStream<Input = unknown, Event = unknown>
  extends Pick<AdminOperation<Input>, 'name' | 'summary' | 'path' | 'needs' | 'query'> {
  /** Of each event. */
  readonly event: JsonSchema;
  /**
   * Begins. `send` takes an event, or says false where no more is wanted for now.
   *
   * @returns what ends it, which is called once.
   * @throws BrokerError where it is not to begin.
   */
  open(parts: BrokerParts, input: Input, send: (event: Event) => boolean, end: () => void): () => void;
}

export function defineStream<Input, Event>(stream: AdminStream<Input, Event>): AdminStream<Input, Event> {
  return stream;
}

/** Keeps the types of an operation, which the table of all of them does not know. */
export function defineOperation<Input, Output, Parts = AdminParts>(
  operation: AdminOperation<Input, Output, Parts>,
): AdminOperation<Input, Output, Parts> {
  return operation;
}

/** An object with these fields; all are needed unless said. */
export function objectOf(
  properties: Readonly<Record<string, JsonSchema>>,
  required: readonly string[] = Object.keys(properties),
): JsonSchema {
  return { type: 'object', properties, required, additionalProperties: false };
}

export const text: JsonSchema = { type: 'string' };
export const flag: JsonSchema = { type: 'boolean' };
export const number: JsonSchema = { type: 'number' };
export const texts: JsonSchema = { type: 'array', items: text };
/** A time of day. */
export const time: JsonSchema = { type: 'string', format: 'date-time' };

export function listOf(items: JsonSchema): JsonSchema {
  return { type: 'array', items };
}

/** An object whose fields have any names. */
export function recordOf(values: JsonSchema): JsonSchema {
  return { type: 'object', additionalProperties: values };
}
