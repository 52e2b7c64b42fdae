import { randomUUID } from 'node:crypto';
import { AccessError } from '../../access/access-error.ts';
import type { AccessChange, AccessSnapshot, RulePlace } from '../../access/directory.ts';
import type { DirectoryPolicy } from '../../access/directory-policy.ts';
import { identityOf } from '../../access/identity.ts';
import { type Action, type ResourceKind, THE_BROKER } from '../../access/policy.ts';
import { parseRule } from '../../access/rules/parse-rules.ts';
import { describeRule, type Rule, ruleForm } from '../../access/rules/rule.ts';
import { quoted } from '../../errors.ts';
import {
  type AdminParts,
  defineOperation,
  flag,
  listOf,
  number,
  objectOf,
  text,
  texts,
} from '../operation.ts';

const needs = { action: 'admin', resource: THE_BROKER } as const;

/** Rules have their form in files; whoever reads it checks it. */
const RULE_FORM = { type: 'object' };

export interface ShownRule {
  readonly position: number;
  readonly id: string;
  readonly origin: 'store' | 'file';
  /** In plain words. */
  readonly text: string;
  readonly rule: Record<string, unknown>;
}

export const listRules = defineOperation({
  ...{ name: 'acl list', summary: 'Shows all rules in the order in which they are asked.' },
  ...{ method: 'GET', path: '/rules', needs },
  answer: listOf(
    objectOf({
      ...{ position: number, id: text, origin: text, text },
      rule: { type: 'object', additionalProperties: true },
    }),
  ),
  async run({ directory }: AdminParts, _input: object): Promise<ShownRule[]> {
    return directory.current.rules.map((rule, index) => ({
      position: index + 1,
      ...{ id: rule.id, origin: rule.origin, text: describeRule(rule), rule: ruleForm(rule) },
    }));
  },
});

export interface NewRuleInput {
  readonly rule: object;
  readonly place?: RulePlace;
}

/** Where a rule is to stand among those of the store. */
export const PLACE = {
  ...{ anyOf: [{ enum: ['first', 'last'] }, objectOf({ before: text })] },
  description: 'Before all others of the store, behind them, or before the one of this id.',
};

export const addRule = defineOperation({
  ...{ name: 'acl add', summary: 'Adds a rule.', method: 'POST', path: '/rules', needs },
  body: objectOf({ rule: RULE_FORM, place: PLACE }, ['rule']),
  answer: objectOf({ id: text, text }),
  async run({ directory }: AdminParts, input: NewRuleInput) {
    const change = addedRule(directory.current, input);
    await directory.edit([change]);
    return { id: change.rule.id, text: describeRule(change.rule) };
  },
});

/** The change that adds a rule. @throws AccessError, RuleError. */
export function addedRule(
  { rules }: AccessSnapshot,
  { rule: form, place = 'last' }: NewRuleInput,
): Extract<AccessChange, { kind: 'put-rule' }> & { rule: Rule } {
  const rule = parseRule(form, 'store', `rule-${randomUUID().slice(0, 8)}`);
  if (rules.some(({ id }) => id === rule.id))
    throw new AccessError('exists', `there is a rule ${quoted(rule.id)} already`);
  return { kind: 'put-rule', rule, place };
}

export interface AlteredRuleInput extends Partial<NewRuleInput> {
  readonly id: string;
}

export const alterRule = defineOperation({
  ...{ name: 'acl alter', summary: 'Puts a rule in the place of another one, or moves it.' },
  ...{ method: 'PATCH', path: '/rules/:id', needs },
  parameters: objectOf({ id: text }),
  body: objectOf({ rule: RULE_FORM, place: PLACE }, []),
  answer: objectOf({}),
  async run({ directory }: AdminParts, input: AlteredRuleInput) {
    await directory.edit([alteredRule(input)]);
    return {};
  },
});

/** The change that alters a rule. @throws AccessError, RuleError. */
export function alteredRule({ id, rule: form, place }: AlteredRuleInput): AccessChange {
  const rule = form === undefined ? undefined : parseRule({ ...form, id }, 'store', id);
  return { kind: 'alter-rule', id, ...(rule && { rule }), ...(place && { place }) };
}

export const removeRule = defineOperation({
  ...{ name: 'acl remove', summary: 'Removes a rule.', method: 'DELETE', path: '/rules/:id', needs },
  parameters: objectOf({ id: text }),
  answer: objectOf({}),
  async run({ directory }: AdminParts, { id }: { id: string }) {
    await directory.edit([{ kind: 'remove-rule', id }]);
    return {};
  },
});

/** Who wants to do what. Without a user it is an anonymous client. */
export interface Question {
  readonly user?: string;
  readonly groups?: readonly string[];
  readonly clientId?: string;
  readonly host?: string;
  readonly action: Action;
  readonly kind: ResourceKind;
  readonly name: string;
}

export interface Verdict {
  readonly isAllowed: boolean;
  readonly reason: string;
  readonly isKnownUser: boolean;
  readonly rule?: {
    readonly id: string;
    readonly position: number;
    readonly text: string;
    readonly origin: string;
  };
}

export const QUESTION = objectOf(
  { user: text, groups: texts, clientId: text, host: text, action: text, kind: text, name: text },
  ['action', 'kind', 'name'],
);

export const VERDICT = objectOf(
  {
    ...{ isAllowed: flag, reason: text, isKnownUser: flag },
    rule: objectOf({ id: text, position: number, text, origin: text }),
  },
  ['isAllowed', 'reason', 'isKnownUser'],
);

export const testRules = defineOperation({
  ...{ name: 'acl test', summary: 'Says whether somebody may do something, and which rule decides.' },
  ...{ method: 'POST', path: '/rules/test', needs },
  body: QUESTION,
  answer: VERDICT,
  async run({ directory, rules }: AdminParts, question: Question): Promise<Verdict> {
    return verdictOf(rules, directory.current, question);
  },
});

/** What rules say to a question, where there are these users. */
export function verdictOf(
  rules: Pick<DirectoryPolicy, 'explain'>,
  { users }: Pick<AccessSnapshot, 'users'>,
  { user, groups: more = [], clientId = '', host = '', action, kind, name }: Question,
): Verdict {
  const known = user === undefined ? undefined : users.get(user);
  const peer = { clientId, door: 'test', listener: 'test', remote: host, certificateName: undefined };
  const groups = [...new Set([...(known?.groups ?? []), ...more])];
  const { isAllowed, rule, position, reason } = rules.explain(identityOf(peer, { user, groups }), action, {
    kind,
    name: kind === 'broker' ? THE_BROKER.name : name,
  });
  return {
    ...{ isAllowed, reason, isKnownUser: known !== undefined },
    ...(rule !== undefined && {
      rule: { id: rule.id, position: position!, text: describeRule(rule), origin: rule.origin },
    }),
  };
}
