import { listPartitionReassignments } from '../../../protocol/kafka/apis/46-list-partition-reassignments.ts';
import { NO_ERROR } from '../errors.ts';
import { defineHandler } from '../handler.ts';

/** With one broker no partition is ever on its way to another. */
export const listPartitionReassignmentsHandler = defineHandler(
  listPartitionReassignments,
  () => ({ ...NO_ERROR, topics: [] }),
  { first: { need: 'describe broker', refused: (error) => ({ ...error, topics: [] }) } },
);
