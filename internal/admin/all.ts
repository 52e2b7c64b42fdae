import type { AdminOperation, BrokerParts } from './operation.ts';
import { endClient, listClients, showClient } from './operations/clients.ts';
import { importAccess } from './operations/import.ts';
import { addLimit, listLimits, removeLimit, testLimits } from './operations/limits.ts';
import { showOverview } from './operations/overview.ts';
import { addRule, listRules, removeRule, testRules } from './operations/rules.ts';
import { addUser, alterUser, listUsers, removeUser } from './operations/users.ts';
import { showFates } from './operations/why.ts';

/** Every operation; whoever mounts them serves all. */
export const OPERATIONS = [
  showOverview,
  showFates,
  ...[listClients, showClient, endClient],
  ...[listUsers, addUser, alterUser, removeUser],
  ...[listRules, addRule, removeRule, testRules],
  ...[listLimits, addLimit, removeLimit, testLimits],
  importAccess,
] as readonly AdminOperation<object, unknown, BrokerParts>[];
