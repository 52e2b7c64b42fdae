import type { AdminOperation } from './operation.ts';
import { importAccess } from './operations/import.ts';
import { addLimit, listLimits, removeLimit, testLimits } from './operations/limits.ts';
import { addRule, listRules, removeRule, testRules } from './operations/rules.ts';
import { addUser, alterUser, listUsers, removeUser } from './operations/users.ts';

/** Every operation; whoever mounts them serves all. */
export const OPERATIONS = [
  ...[listUsers, addUser, alterUser, removeUser],
  ...[listRules, addRule, removeRule, testRules],
  ...[listLimits, addLimit, removeLimit, testLimits],
  importAccess,
] as readonly AdminOperation[];
