import type { AdminOperation, AdminStream, BrokerParts } from './operation.ts';
import { endClient, listClients, showClient } from './operations/clients.ts';
import { showConfiguration } from './operations/configuration.ts';
import { listGroups, removeGroup, resetGroup, showGroup } from './operations/groups.ts';
import { importAccess } from './operations/import.ts';
import { addLimit, alterLimit, listLimits, removeLimit, testLimits } from './operations/limits.ts';
import { listLogs, showLog } from './operations/logs.ts';
import { listNodes } from './operations/nodes.ts';
import { showHistory, showOverview } from './operations/overview.ts';
import { previewChange } from './operations/preview.ts';
import { exportLog, importLog } from './operations/records.ts';
import {
  exportRetained,
  getRetained,
  importRetained,
  listRetained,
  removeRetained,
} from './operations/retained.ts';
import { addRule, alterRule, listRules, removeRule, testRules } from './operations/rules.ts';
import { endSession, listSessions, listSubscriptions, showSession } from './operations/sessions.ts';
import { takeSnapshot } from './operations/store.ts';
import { traceMessages } from './operations/trace.ts';
import { listBusiest, showTree } from './operations/tree.ts';
import { addUser, alterUser, listUsers, removeUser } from './operations/users.ts';
import { showFates } from './operations/why.ts';

/** Every operation; whoever mounts them serves all. */
export const OPERATIONS = [
  ...[showOverview, showHistory, showFates, showConfiguration, listNodes],
  ...[listClients, showClient, endClient],
  ...[listSessions, showSession, endSession, listSubscriptions],
  ...[listRetained, getRetained, removeRetained, exportRetained, importRetained],
  ...[showTree, listBusiest],
  ...[listLogs, showLog, exportLog, importLog],
  ...[listGroups, showGroup, resetGroup, removeGroup],
  ...[listUsers, addUser, alterUser, removeUser],
  ...[listRules, addRule, alterRule, removeRule, testRules, previewChange],
  ...[listLimits, addLimit, alterLimit, removeLimit, testLimits],
  ...[importAccess, takeSnapshot],
] as readonly AdminOperation<object, unknown, BrokerParts>[];

/** What is watched, beside them. */
export const STREAMS = [traceMessages] as readonly AdminStream<object>[];
