/**
 * How far a function's answer depends on more than its arguments, by name, as PostgreSQL's own catalog has it: where
 * overloads or versions (15 to 18) differ, the most volatile counts. `tests/parsing` holds this to a real server.
 */
import { classify } from "./functions.ts";

/** unknown: not PostgreSQL's own, or one that may do anything. */
export type Volatility = "immutable" | "stable" | "volatile" | "unknown";

/** `schema` is undefined for a bare name. */
export function volatilityOf(schema: string | undefined, name: string): Volatility {
  const known = classify(schema, name);
  if (known === "unknown" || (schema !== undefined && schema !== "pg_catalog")) return "unknown";
  if (known !== "safe" || VOLATILE.has(name)) return "volatile";
  return STABLE.has(name) ? "stable" : "immutable";
}

/** Of those that are safe. */
const STABLE: ReadonlySet<string> = words(
  `aclexplode age array_to_json array_to_string col_description concat concat_ws convert convert_from
    convert_to current_catalog current_database current_role current_schema current_schemas current_setting
    current_user date date_add date_part date_subtract date_trunc enum_first enum_last enum_range extract
    format format_type generate_series get_current_ts_config getdatabaseencoding getpgusername
    has_any_column_privilege has_column_privilege has_database_privilege has_foreign_data_wrapper_privilege
    has_function_privilege has_language_privilege has_parameter_privilege has_schema_privilege
    has_sequence_privilege has_server_privilege has_table_privilege has_tablespace_privilege
    has_type_privilege inet_client_addr inet_client_port inet_server_addr inet_server_port json_agg
    json_agg_strict json_arrayagg json_build_array json_build_object json_object_agg json_object_agg_unique
    json_objectagg json_populate_record json_populate_recordset json_to_record json_to_recordset
    json_to_tsvector jsonb_agg jsonb_agg_strict jsonb_build_array jsonb_build_object jsonb_path_exists_tz
    jsonb_path_match_tz jsonb_path_query_array_tz jsonb_path_query_first_tz jsonb_path_query_tz
    jsonb_populate_record jsonb_populate_recordset jsonb_to_record jsonb_to_recordset jsonb_to_tsvector length
    make_timestamptz money mxid_age now numeric obj_description oidvectortypes overlaps
    pg_available_extension_versions pg_available_extensions pg_backend_pid pg_char_to_encoding
    pg_client_encoding pg_collation_for pg_collation_is_visible pg_column_compression pg_column_is_updatable
    pg_column_size pg_conf_load_time pg_conversion_is_visible pg_current_snapshot pg_current_xact_id
    pg_current_xact_id_if_assigned pg_describe_object pg_encoding_to_char pg_function_is_visible
    pg_get_constraintdef pg_get_expr pg_get_function_arg_default pg_get_function_arguments
    pg_get_function_identity_arguments pg_get_function_result pg_get_function_sqlbody pg_get_functiondef
    pg_get_indexdef pg_get_keywords pg_get_object_address pg_get_partition_constraintdef pg_get_partkeydef
    pg_get_publication_tables pg_get_replica_identity_index pg_get_ruledef pg_get_serial_sequence
    pg_get_statisticsobjdef pg_get_statisticsobjdef_columns pg_get_triggerdef pg_get_userbyid pg_get_viewdef
    pg_has_role pg_identify_object pg_identify_object_as_address pg_index_column_has_property
    pg_index_has_property pg_indexam_has_property pg_input_is_valid pg_is_other_temp_schema
    pg_listening_channels pg_my_temp_schema pg_opclass_is_visible pg_operator_is_visible
    pg_opfamily_is_visible pg_options_to_table pg_postmaster_start_time pg_relation_filenode
    pg_relation_is_publishable pg_relation_is_updatable pg_sequence_parameters pg_settings_get_flags
    pg_show_all_settings pg_stat_get_dead_tuples pg_stat_get_live_tuples pg_stat_get_numscans
    pg_stat_get_tuples_deleted pg_stat_get_tuples_fetched pg_stat_get_tuples_inserted
    pg_stat_get_tuples_returned pg_stat_get_tuples_updated pg_statistics_obj_is_visible pg_table_is_visible
    pg_tablespace_databases pg_tablespace_location pg_timezone_abbrevs pg_timezone_names pg_trigger_depth
    pg_ts_config_is_visible pg_ts_dict_is_visible pg_ts_parser_is_visible pg_ts_template_is_visible
    pg_type_is_visible pg_typeof phraseto_tsquery plainto_tsquery quote_literal quote_nullable regclass
    row_security_active row_to_json session_user shobj_description statement_timestamp system_user time
    timestamp timestamptz timetz timezone to_char to_date to_json to_jsonb to_number to_regclass
    to_regcollation to_regnamespace to_regoper to_regoperator to_regproc to_regprocedure to_regrole to_regtype
    to_regtypemod to_timestamp to_tsquery to_tsvector transaction_timestamp ts_debug ts_headline ts_parse
    ts_token_type txid_current txid_current_if_assigned txid_current_snapshot user version
    websearch_to_tsquery xml xml_is_well_formed`,
);
const VOLATILE: ReadonlySet<string> = words(
  `array_sample array_shuffle clock_timestamp current_query currval gen_random_uuid lastval pg_blocking_pids
    pg_collation_actual_version pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn
    pg_database_collation_actual_version pg_database_size pg_get_wal_replay_pause_state pg_indexes_size
    pg_is_in_recovery pg_is_wal_replay_paused pg_jit_available pg_last_wal_receive_lsn pg_last_wal_replay_lsn
    pg_last_xact_replay_timestamp pg_lock_status pg_partition_ancestors pg_partition_tree pg_relation_size
    pg_safe_snapshot_blocking_pids pg_sequence_last_value pg_table_size pg_tablespace_size
    pg_total_relation_size pg_xact_status random random_normal timeofday txid_status uuidv4 uuidv7`,
);

function words(text: string): ReadonlySet<string> {
  return new Set(text.split(/\s+/));
}
