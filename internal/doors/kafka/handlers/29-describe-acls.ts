import type { AclBinding } from '../../../access/rules/kafka-patterns.ts';
import { describeAcls } from '../../../protocol/kafka/apis/29-describe-acls.ts';
import { findAcls } from '../acls.ts';
import { NO_ERROR } from '../errors.ts';
import { defineHandler } from '../handler.ts';

/** Lists the rules of Kafka's kind that a filter finds, by what they are about. */
export const describeAclsHandler = defineHandler(
  describeAcls,
  (request, { parts }) => {
    const found = findAcls(parts, {
      ...request,
      resourceType: request.resourceTypeFilter,
      resourceName: request.resourceNameFilter,
      patternType: request.patternTypeFilter,
      principal: request.principalFilter,
      host: request.hostFilter,
    });
    if ('errorCode' in found) return { ...found, resources: [] };
    return { ...NO_ERROR, resources: resourcesOf(found) };
  },
  { first: { need: 'describe broker', refused: (error) => ({ ...error, resources: [] }) } },
);

function resourcesOf(bindings: readonly AclBinding[]) {
  const byResource = Map.groupBy(bindings, ({ resourceType, patternType, resourceName }) =>
    [resourceType, patternType, resourceName].join(' '),
  );
  return Array.from(byResource.values(), (acls) => {
    const { resourceType, resourceName, patternType } = acls[0]!;
    return { resourceType, resourceName, patternType, acls };
  });
}
