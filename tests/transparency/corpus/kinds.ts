/** Which kinds of statement of PostgreSQL's grammar the corpus holds: read by the grammar itself, not by eye. */
import { parse } from "libpg-query";

/** Every node of a statement in the grammar of version 18, but for those that no text can bring about. */
export const KINDS: readonly string[] = `
AlterCollationStmt AlterDatabaseRefreshCollStmt AlterDatabaseSetStmt AlterDatabaseStmt AlterDefaultPrivilegesStmt
AlterDomainStmt AlterEnumStmt AlterEventTrigStmt AlterExtensionContentsStmt AlterExtensionStmt AlterFdwStmt
AlterForeignServerStmt AlterFunctionStmt AlterObjectDependsStmt AlterObjectSchemaStmt AlterOpFamilyStmt
AlterOperatorStmt AlterOwnerStmt AlterPolicyStmt AlterPublicationStmt AlterRoleSetStmt AlterRoleStmt AlterSeqStmt
AlterStatsStmt AlterSubscriptionStmt AlterSystemStmt AlterTSConfigurationStmt AlterTSDictionaryStmt
AlterTableMoveAllStmt AlterTableSpaceOptionsStmt AlterTableStmt AlterTypeStmt AlterUserMappingStmt CallStmt
CheckPointStmt ClosePortalStmt ClusterStmt CommentStmt CompositeTypeStmt ConstraintsSetStmt CopyStmt CreateAmStmt
CreateCastStmt CreateConversionStmt CreateDomainStmt CreateEnumStmt CreateEventTrigStmt CreateExtensionStmt
CreateFdwStmt CreateForeignServerStmt CreateForeignTableStmt CreateFunctionStmt CreateOpClassStmt CreateOpFamilyStmt
CreatePLangStmt CreatePolicyStmt CreatePublicationStmt CreateRangeStmt CreateRoleStmt CreateSchemaStmt CreateSeqStmt
CreateStatsStmt CreateStmt CreateSubscriptionStmt CreateTableAsStmt CreateTableSpaceStmt CreateTransformStmt
CreateTrigStmt CreateUserMappingStmt CreatedbStmt DeallocateStmt DeclareCursorStmt DefineStmt DeleteStmt DiscardStmt
DoStmt DropOwnedStmt DropRoleStmt DropStmt DropSubscriptionStmt DropTableSpaceStmt DropUserMappingStmt DropdbStmt
ExecuteStmt ExplainStmt FetchStmt GrantRoleStmt GrantStmt ImportForeignSchemaStmt IndexStmt InsertStmt ListenStmt
LoadStmt LockStmt MergeStmt NotifyStmt PrepareStmt ReassignOwnedStmt RefreshMatViewStmt ReindexStmt RenameStmt
ReplicaIdentityStmt ReturnStmt RuleStmt SecLabelStmt SelectStmt TransactionStmt TruncateStmt UnlistenStmt UpdateStmt
VacuumStmt VariableSetStmt VariableShowStmt ViewStmt`
  .trim()
  .split(/\s+/);

/** Of `texts`; what the grammar does not take is not counted. */
export async function kindsIn(texts: Iterable<string>): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const text of texts) {
    const tree = await parse(text).catch(() => undefined);
    if (tree !== undefined) collect(tree, found);
  }
  return found;
}

function collect(value: unknown, found: Set<string>): void {
  if (Array.isArray(value)) for (const item of value) collect(item, found);
  else if (typeof value === "object" && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      // Fields of a node begin with a small letter, nodes with a capital.
      if (/^[A-Z]\w*Stmt$/.test(key)) found.add(key);
      collect(inner, found);
    }
  }
}
