import type { Action } from '../policy.ts';
import type { KafkaOperation, Rule, RuleAction } from './rule.ts';

/** All actions of the policy that a rule is about. What an action implies is allowed by it, but not denied by it. */
export function actionsOf(rule: Pick<Rule, 'effect' | 'actions'>): ReadonlySet<Action> {
  const actions = new Set<Action>();
  for (const word of rule.actions) {
    const { means, implies = [] } = MEANINGS[word];
    for (const action of means) actions.add(action);
    if (rule.effect === 'allow') for (const action of implies) actions.add(action);
  }
  return actions;
}

interface Meaning {
  readonly means: readonly Action[];
  readonly implies?: readonly Action[];
}

const EVERYTHING: readonly Action[] = [
  'publish',
  'subscribe',
  'read',
  'write',
  'create',
  'delete',
  'alter',
  'alter-configs',
  'describe',
  'describe-configs',
  'admin',
];

const RULE_MEANINGS: Record<RuleAction, Meaning> = {
  // Answered on its own (`mayConnect` in rule-policy.ts).
  connect: { means: [] },
  publish: { means: ['publish', 'write'], implies: ['describe'] },
  subscribe: { means: ['subscribe', 'read'], implies: ['describe'] },
  create: { means: ['create'] },
  delete: { means: ['delete'], implies: ['describe'] },
  alter: { means: ['alter', 'alter-configs'], implies: ['describe', 'describe-configs'] },
  describe: { means: ['describe', 'describe-configs'] },
  admin: { means: ['admin', 'alter', 'alter-configs', 'describe', 'describe-configs'] },
  all: { means: EVERYTHING },
};

/** As Kafka's authorizer has it: Read, Write, Delete and Alter imply Describe; AlterConfigs implies DescribeConfigs. */
const KAFKA_MEANINGS: Record<KafkaOperation, Meaning> = {
  All: { means: EVERYTHING },
  Read: { means: ['read', 'subscribe'], implies: ['describe'] },
  Write: { means: ['write', 'publish'], implies: ['describe'] },
  Create: { means: ['create'] },
  Delete: { means: ['delete'], implies: ['describe'] },
  Alter: { means: ['alter'], implies: ['describe'] },
  Describe: { means: ['describe'] },
  ClusterAction: { means: ['admin'] },
  DescribeConfigs: { means: ['describe-configs'] },
  AlterConfigs: { means: ['alter-configs'], implies: ['describe-configs'] },
  IdempotentWrite: { means: ['write'] },
};

const MEANINGS: Record<RuleAction | KafkaOperation, Meaning> = { ...RULE_MEANINGS, ...KAFKA_MEANINGS };
