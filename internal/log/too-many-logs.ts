import { StoreError } from '../store/store-error.ts';

/** There is no room for more partitions; deleting topics makes some. Doors tell it as a policy, not as a failure. */
export class TooManyLogsError extends StoreError {
  override readonly name = 'TooManyLogsError';

  constructor(partitionCount: number, maxPartitions: number) {
    super(
      'unsupported',
      `the logs have ${partitionCount} partitions, and there is room for ${maxPartitions}; delete topics that nobody needs`,
    );
  }
}
