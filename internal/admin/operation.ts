import type { AccessDirectory } from '../access/directory.ts';
import type { DirectoryPolicy } from '../access/directory-policy.ts';
import type { Action, Resource } from '../access/policy.ts';

/** What operations work on. */
export interface AdminParts {
  readonly directory: AccessDirectory;
  /** Says which rule decides. */
  readonly rules: Pick<DirectoryPolicy, 'explain'>;
}

/** A schema of JSON (draft 7), as fastify takes it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * Something that is done to a running broker, or to the store of one that is stopped: by the tools over the owner's socket,
 * and by whatever else mounts the table of operations.
 */
export interface AdminOperation<Input = unknown, Output = unknown> {
  /** For the tools: `users add`. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** With the fields of the input that stand in it behind colons. */
  readonly path: string;
  /** What somebody who is not the owner has to be allowed. */
  readonly needs: { readonly action: Action; readonly resource: Resource };
  /** Of the fields that stand in the path, and of the body. */
  readonly parameters?: JsonSchema;
  readonly body?: JsonSchema;
  readonly answer: JsonSchema;
  /** @throws AccessError, RuleError, StoreError. */
  run(parts: AdminParts, input: Input): Promise<Output>;
}

/** Keeps the types of an operation, which the table of all of them does not know. */
export function defineOperation<Input, Output>(
  operation: AdminOperation<Input, Output>,
): AdminOperation<Input, Output> {
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

export function listOf(items: JsonSchema): JsonSchema {
  return { type: 'array', items };
}
