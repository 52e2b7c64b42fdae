import { describeAcls } from '../../../protocol/kafka/apis/29-describe-acls.ts';
import { NO_ACLS } from '../acls.ts';
import { defineHandler } from '../handler.ts';

export const describeAclsHandler = defineHandler(describeAcls, () => ({ ...NO_ACLS, resources: [] }), {
  needs: [],
});
