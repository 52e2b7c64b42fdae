import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Identity } from '../../internal/access/identity.ts';
import type { Action } from '../../internal/access/policy.ts';
import { describeRule } from '../../internal/access/rules/rule.ts';
import { RulePolicy } from '../../internal/access/rules/rule-policy.ts';
import { rounds, torturePatienceMs } from '../support/torture.ts';
import { Random, randomFilter, randomIdentity, randomRules, WORLD } from './random-rules.ts';
import { RulesOracle } from './rules-oracle.ts';

const SEED = Number(process.env.FUZZ_SEED ?? randomInt(2 ** 31));
/** With each list of rules so many questions are asked. */
const QUESTIONS = 100;
/** `TORTURE=100` asks a million. */
const LISTS = rounds(100);

const ACTIONS: readonly Action[] = [
  'publish',
  'write',
  'read',
  'create',
  'alter',
  'describe',
  'alter-configs',
  'delete',
];

describe('rules, against an oracle that looks at every topic', () => {
  it(
    `decide alike (FUZZ_SEED=${SEED})`,
    () => {
      const random = new Random(SEED);
      const tally = { all: 0, partly: 0, none: 0 };
      for (let list = 0; list < LISTS; list++) {
        const rules = randomRules(random);
        const who = randomIdentity(random);
        const policy = new RulePolicy();
        policy.replace(rules, true);
        const oracle = new RulesOracle(rules, who);
        for (let question = 0; question < QUESTIONS / 2; question++) {
          const [action, topic] = [random.pick(ACTIONS), random.pick(WORLD)];
          const filter = randomFilter(random, false);
          const { allowed, refused } = oracle.count('subscribe', filter, WORLD);
          const expected = refused === 0 ? 'all' : allowed === 0 ? 'none' : 'partly';
          const answers = [
            may(policy, who, action, topic),
            policy.coverage(who, 'subscribe', filter),
            may(policy, who, 'subscribe', filter),
          ];
          const right = [oracle.may(action, topic), expected, expected === 'all'];
          if (String(answers) !== String(right)) {
            const { user, groups, clientId } = who;
            const asked = {
              rules: rules.map((rule) => describeRule(rule)),
              user,
              groups,
              clientId,
              action,
              topic,
              filter,
            };
            expect(answers, JSON.stringify(asked)).toEqual(right);
          }
          tally[expected]++;
        }
      }
      // The questions are worth asking: each answer is given often.
      for (const count of Object.values(tally)) expect(count).toBeGreaterThan((LISTS * QUESTIONS) / 100);
    },
    torturePatienceMs(120_000),
  );
});

function may(policy: RulePolicy, who: Identity, action: Action, name: string): boolean {
  return policy.may(who, action, { kind: 'topic', name }) === undefined;
}
