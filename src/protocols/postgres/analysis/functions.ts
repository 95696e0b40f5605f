/**
 * What a function may do, by name. Only functions of pg_catalog that compute from their arguments or
 * tell about the schema and the session are known to be safe; every other one may do anything.
 * Names only: overloads and what a user put in front of pg_catalog are not seen (a stated limit).
 */

export type FunctionClass =
  /** Computes, or tells of schema and session. */
  | "safe"
  /** Not harmless, yet reads no table: locks, sleeps, statistics. */
  | "call"
  | "administer"
  | "server"
  | "session"
  | "update"
  /** A counter that only grows: what inserts rows. */
  | "insert"
  /** set_config: judged by its arguments. */
  | "setting"
  /** May read or change anything. */
  | "unknown";

/** `schema` is undefined for a bare name. */
export function classify(schema: string | undefined, name: string): FunctionClass {
  if (schema === undefined || schema === "pg_catalog") {
    if (SAFE.has(name)) return "safe";
    if (name === "set_config") return "setting";
    if (name === "setval") return "update";
    if (name === "nextval") return "insert";
    if (name === "pg_notify") return "session";
    if (CALLS.has(name)) return "call";
    if (ADMINISTERS.has(name) || /^(pg_(replication_origin|wal_replay|stat_reset)|binary_upgrade_)/.test(name)) {
      return "administer";
    }
  }
  if (schema === "information_schema") return INFORMATION_SCHEMA.has(name) ? "safe" : "unknown";
  // The functions of dblink, adminpack, file_fdw and their like live where their extension was put.
  return SERVER.test(name) ? "server" : "unknown";
}

const SERVER =
  /^(lo_\w+|loread|lowrite|dblink\w*|pg_read_\w+|pg_ls_\w+|pg_stat_file|pg_file_\w+|pg_logdir_ls|pg_logfile_rotate|pg_current_logfile|pg_hba_file_rules|pg_ident_file_mappings|pg_show_all_file_settings|pg_logical_\w+|pg_(create|copy|drop)_\w*replication_slot|pg_replication_slot_\w+|pg_backup_\w+|pg_start_backup|pg_stop_backup|pg_execute_server_program|pg_write_\w+|postgres_fdw_\w+|http|http_\w+|get_raw_page|pg_relation_filepath)$/;

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}

const INFORMATION_SCHEMA: ReadonlySet<string> = new Set(
  words(`_pg_char_max_length _pg_char_octet_length _pg_datetime_precision _pg_expandarray _pg_index_position
    _pg_interval_type _pg_numeric_precision _pg_numeric_precision_radix _pg_numeric_scale _pg_truetypid _pg_truetypmod`),
);

const CALLS: ReadonlySet<string> = new Set(
  words(`setseed pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all pg_advisory_unlock_shared
    pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_try_advisory_lock pg_try_advisory_lock_shared
    pg_try_advisory_xact_lock pg_try_advisory_xact_lock_shared pg_sleep pg_sleep_for pg_sleep_until
    pg_config pg_stat_clear_snapshot pg_export_snapshot`),
);

const ADMINISTERS: ReadonlySet<string> = new Set(
  words(`pg_terminate_backend pg_cancel_backend pg_reload_conf pg_rotate_logfile pg_promote pg_switch_wal
    pg_create_restore_point pg_log_backend_memory_contexts pg_import_system_collations pg_nextoid
    brin_desummarize_range brin_summarize_new_values brin_summarize_range gin_clean_pending_list
    pg_extension_config_dump pg_stat_force_next_flush pg_stop_making_pinned_objects`),
);

const SAFE: ReadonlySet<string> = new Set([
  // Aggregates and window functions
  ...words(`array_agg any_value avg bit_and bit_or bit_xor bool_and bool_or corr count covar_pop covar_samp cume_dist
    dense_rank every first_value json_agg json_agg_strict json_arrayagg json_object_agg json_object_agg_unique
    json_objectagg jsonb_agg jsonb_agg_strict jsonb_object_agg jsonb_object_agg_unique lag last_value lead max min mode
    nth_value ntile percent_rank percentile_cont percentile_disc range_agg range_intersect_agg rank regr_avgx regr_avgy
    regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy row_number stddev stddev_pop stddev_samp
    string_agg sum var_pop var_samp variance xmlagg`),
  // Numbers
  ...words(`abs acos acosd acosh asin asind asinh atan atan2 atan2d atand atanh cbrt ceil ceiling cos cosd cosh cot cotd
    degrees div erf erfc exp factorial floor gamma gcd gen_random_uuid lcm lgamma ln log log10 min_scale mod pi pow
    power radians random random_normal round scale sign sin sind sinh sqrt tan tand tanh trim_scale trunc
    uuidv4 uuidv7 uuid_extract_timestamp uuid_extract_version width_bucket`),
  // Strings and bytes
  ...words(`ascii bit_count bit_length btrim casefold char_length character_length chr concat concat_ws convert
    convert_from convert_to crc32 crc32c decode encode format get_bit get_byte initcap is_normalized left length
    like_escape lower lpad ltrim md5 normalize octet_length overlay parse_ident position quote_ident quote_literal
    quote_nullable regexp_count regexp_instr regexp_like regexp_match regexp_matches regexp_replace
    regexp_split_to_array regexp_split_to_table regexp_substr repeat replace reverse right rpad rtrim set_bit set_byte
    sha224 sha256 sha384 sha512 similar_escape similar_to_escape split_part starts_with string_to_array
    string_to_table strpos substr substring to_ascii to_bin to_hex to_oct translate unistr unicode_assigned upper`),
  // Conversions by function notation
  ...words(`bool bpchar char date float4 float8 int2 int4 int8 interval money name numeric oid regclass text time
    timestamp timestamptz timetz to_char to_date to_number to_timestamp varbit varchar bit xml`),
  // Date and time
  ...words(`age clock_timestamp date_add date_bin date_part date_subtract date_trunc extract isfinite justify_days
    justify_hours justify_interval make_date make_interval make_time make_timestamp make_timestamptz now overlaps
    statement_timestamp timeofday timezone transaction_timestamp`),
  // Arrays, ranges, sets
  ...words(`array_append array_cat array_dims array_fill array_length array_lower array_ndims array_position
    array_positions array_prepend array_remove array_replace array_reverse array_sample array_shuffle array_sort
    array_to_string array_upper cardinality daterange datemultirange generate_series generate_subscripts int4multirange
    int4range int8multirange int8range isempty lower_inc lower_inf multirange num_nonnulls num_nulls nummultirange
    numrange range_merge trim_array tsmultirange tsrange tstzmultirange tstzrange unnest upper_inc upper_inf`),
  // JSON and XML of what is given
  ...words(`array_to_json json_array_element json_array_element_text json_array_elements json_array_elements_text
    json_array_length json_build_array json_build_object json_each json_each_text json_extract_path
    json_extract_path_text json_object json_object_field json_object_field_text json_object_keys json_populate_record
    json_populate_recordset json_strip_nulls json_to_record json_to_recordset json_typeof jsonb_array_element
    jsonb_array_element_text jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array
    jsonb_build_object jsonb_concat jsonb_contained jsonb_contains jsonb_delete jsonb_delete_path jsonb_each
    jsonb_each_text jsonb_exists jsonb_exists_all jsonb_exists_any jsonb_extract_path jsonb_extract_path_text
    jsonb_insert jsonb_object jsonb_object_field jsonb_object_field_text jsonb_object_keys jsonb_path_exists
    jsonb_path_exists_tz jsonb_path_match jsonb_path_match_tz jsonb_path_query jsonb_path_query_array
    jsonb_path_query_array_tz jsonb_path_query_first jsonb_path_query_first_tz jsonb_path_query_tz
    jsonb_populate_record jsonb_populate_recordset jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls
    jsonb_to_record jsonb_to_recordset jsonb_typeof row_to_json to_json to_jsonb xml_is_well_formed
    xml_is_well_formed_content xml_is_well_formed_document xmlcomment xmlexists xpath xpath_exists`),
  // Text search on what is given (ts_stat and ts_rewrite run queries and are not here)
  ...words(`array_to_tsvector get_current_ts_config json_to_tsvector jsonb_to_tsvector numnode phraseto_tsquery
    plainto_tsquery querytree setweight strip to_tsquery to_tsvector ts_delete ts_filter ts_debug ts_headline ts_lexize ts_parse
    ts_rank ts_rank_cd ts_token_type tsquery_and tsquery_not tsquery_or tsquery_phrase tsvector_to_array websearch_to_tsquery`),
  // Network addresses and geometry
  ...words(`abbrev area box bound_box broadcast cidr center circle diagonal diameter family height host hostmask
    inet_merge inet_same_family isclosed ishorizontal isopen isparallel isperp isvertical line lseg macaddr
    macaddr8 macaddr8_set7bit masklen netmask network npoints path pclose point polygon popen radius set_masklen
    slope width`),
  // Enums, sequences, hashes
  ...words(`currval enum_first enum_last enum_range hashtext hashtextextended hashint4 hashint8 lastval
    pg_get_serial_sequence pg_sequence_last_value pg_sequence_parameters`),
  // Session and server information
  ...words(`current_catalog current_database current_query current_role current_schema current_schemas current_setting
    current_user getdatabaseencoding getpgusername inet_client_addr inet_client_port inet_server_addr inet_server_port
    pg_backend_pid pg_blocking_pids pg_client_encoding pg_conf_load_time pg_current_snapshot
    pg_current_wal_flush_lsn pg_current_wal_insert_lsn pg_current_wal_lsn pg_current_xact_id
    pg_current_xact_id_if_assigned pg_get_keywords pg_get_wal_replay_pause_state pg_is_in_recovery
    pg_is_wal_replay_paused pg_jit_available pg_last_wal_receive_lsn pg_last_wal_replay_lsn
    pg_last_xact_replay_timestamp pg_listening_channels pg_my_temp_schema pg_is_other_temp_schema
    pg_postmaster_start_time pg_safe_snapshot_blocking_pids pg_snapshot_xip pg_snapshot_xmax pg_snapshot_xmin
    pg_timezone_abbrevs pg_timezone_names pg_trigger_depth pg_visible_in_snapshot pg_wal_lsn_diff pg_xact_status
    session_user system_user txid_current txid_current_if_assigned txid_current_snapshot txid_snapshot_xip
    txid_snapshot_xmax txid_snapshot_xmin txid_status txid_visible_in_snapshot user version pg_lock_status
    pg_show_all_settings pg_settings_get_flags row_security_active mxid_age`),
  // Schema information: psql's \d family, drivers and ORMs
  ...words(`acldefault aclexplode makeaclitem col_description format_type has_any_column_privilege
    has_column_privilege has_database_privilege has_foreign_data_wrapper_privilege has_function_privilege
    has_language_privilege has_parameter_privilege has_schema_privilege has_sequence_privilege has_server_privilege
    has_table_privilege has_tablespace_privilege has_type_privilege obj_description oidvectortypes
    pg_available_extension_versions pg_available_extensions pg_char_to_encoding pg_collation_actual_version
    pg_collation_for pg_collation_is_visible pg_column_compression pg_column_is_updatable pg_column_size
    pg_conversion_is_visible pg_database_collation_actual_version pg_database_size pg_describe_object
    pg_encoding_max_length pg_encoding_to_char pg_function_is_visible pg_get_constraintdef pg_get_expr
    pg_get_function_arg_default pg_get_function_arguments pg_get_function_identity_arguments pg_get_function_result
    pg_get_function_sqlbody pg_get_functiondef pg_get_indexdef pg_get_object_address pg_get_partition_constraintdef
    pg_get_partkeydef pg_get_publication_tables pg_get_replica_identity_index pg_get_ruledef pg_get_statisticsobjdef
    pg_get_statisticsobjdef_columns pg_get_triggerdef pg_get_userbyid pg_get_viewdef pg_has_role pg_identify_object
    pg_identify_object_as_address pg_index_column_has_property pg_index_has_property pg_indexam_has_property
    pg_indexes_size pg_opclass_is_visible pg_operator_is_visible pg_opfamily_is_visible pg_options_to_table
    pg_partition_ancestors pg_partition_root pg_partition_tree pg_relation_filenode pg_relation_is_publishable
    pg_relation_is_updatable pg_relation_size pg_size_bytes pg_size_pretty pg_statistics_obj_is_visible
    pg_table_is_visible pg_table_size pg_tablespace_databases pg_tablespace_location pg_tablespace_size
    pg_total_relation_size pg_ts_config_is_visible pg_ts_dict_is_visible pg_ts_parser_is_visible
    pg_ts_template_is_visible pg_type_is_visible pg_typeof pg_input_is_valid shobj_description to_regclass
    to_regcollation to_regnamespace to_regoper to_regoperator to_regproc to_regprocedure to_regrole to_regtype
    to_regtypemod pg_stat_get_numscans pg_stat_get_tuples_returned pg_stat_get_tuples_fetched
    pg_stat_get_tuples_inserted pg_stat_get_tuples_updated pg_stat_get_tuples_deleted pg_stat_get_live_tuples
    pg_stat_get_dead_tuples`),
]);
