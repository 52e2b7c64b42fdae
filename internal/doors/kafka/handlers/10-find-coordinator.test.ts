import { describe, expect, it } from 'vitest';
import { openGroupDoor } from '../../../../test/support/group-handlers.ts';
import { KafkaErrorCode } from '../../../protocol/kafka/error-codes.ts';
import { findCoordinatorHandler } from './10-find-coordinator.ts';

const HERE = { nodeId: 1, host: 'broker', port: 9092, errorCode: KafkaErrorCode.none };
const NOWHERE = { nodeId: -1, host: '', port: -1, errorCode: KafkaErrorCode.invalidRequest };

describe('FindCoordinator', () => {
  it.each([0, 1, 2, 3])(
    'version %i finds this broker at the address that the client dialled',
    async (version) => {
      const door = await openGroupDoor();
      expect(await door.ask(findCoordinatorHandler, version, { key: 'g' })).toMatchObject(HERE);
    },
  );

  it.each([4, 5, 6])('version %i finds it for several keys', async (version) => {
    const door = await openGroupDoor();
    const request = { coordinatorKeys: ['g', 'h'] };
    expect((await door.ask(findCoordinatorHandler, version, request)).coordinators).toMatchObject([
      { key: 'g', ...HERE },
      { key: 'h', ...HERE },
    ]);
    expect((await door.ask(findCoordinatorHandler, version, { coordinatorKeys: [] })).coordinators).toEqual(
      [],
    );
  });

  it('finds nobody for other types of keys', async () => {
    const door = await openGroupDoor();
    for (const keyType of [2, 3, -1]) {
      expect(await door.ask(findCoordinatorHandler, 3, { key: 'g', keyType })).toMatchObject(NOWHERE);
      const request = { keyType, coordinatorKeys: ['g'] };
      expect((await door.ask(findCoordinatorHandler, 6, request)).coordinators).toMatchObject([
        { key: 'g', ...NOWHERE },
      ]);
    }
  });
});
