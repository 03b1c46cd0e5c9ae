"""Every operation of /openapi.json, called on a running server.

CALLS has valid requests of each operation, in an order in which they work. For each answer: its
status and media type are announced, its body fits the schema and has no member the schema does not
know, the announced headers are there, the request's body fits its own schema. Then each operation
is asked wrongly in the ways that its parameters allow, and the problem must be announced. At the
end every operation, success status and media type must have been seen."""
import json
import os
import re
import sys
import time

import jsonschema
from paddock_server import BASE, Server

M = "/registry/{model_id}"
N = "/registered-models/{name}"
NDJSON = {"Content-Type": "application/x-ndjson"}
# Answers each line as the runtime `exec` has it, always with 1.
ANSWERS = """i=0; while read -r l; do i=$((i+1)); case "$l" in
*metadata*) echo '{"id":'$i',"name":"s","inputs":[{"name":"x","datatype":"FP64","shape":[1]}],"outputs":[{"name":"y","datatype":"FP64","shape":[1]}]}';;
*infer*) echo '{"id":'$i',"outputs":[{"name":"y","datatype":"FP64","shape":[1],"data":[1]}]}';;
*) echo '{"id":'$i'}';; esac; done"""
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MERGE = {"Content-Type": "application/merge-patch+json"}
# operation, path parameters, what else: query, body, headers, status (200 unless given); keep
# "name=member": "$name" of later path parameters and bodies (a list is asked until it has an item)
CALLS = [
    ("model_register", {}, dict(status=201, body={
        "name": "m", "version": "1", "type": "classifier", "sport": "nba", "labels": {"a": "b"},
        "source": "s3://m/1", "source_digest": "sha256:1", "training_metrics": {"auc": 0.9},
        "signature": [1], "endpoint": "https://m", "deployment_target": "eu",
        "training_run_id": "r1", "description": "d",
        "runtime": {"kind": "openinference", "url": "http://m", "model_name": "m"}})),
    ("model_register", {}, dict(status=201, body={"name": "m", "type": "other"},
                                headers={"Idempotency-Key": "k", "Paddock-Reason": "r"})),
    ("model_replace", {"model_id": "m:3"}, dict(status=201, body={
        "name": "m", "version": "3", "type": "other", "baseline_model_id": "m:1"})),
    ("model_replace", {"model_id": "m:3"}, dict(body={
        "name": "m", "version": "3", "type": "ranker", "description": "again"})),
    ("model_patch", {"model_id": "m:1"}, dict(body={"labels": {"c": "d", "a": None}})),
    ("model_patch", {"model_id": "m:1"}, dict(body={"sport": None}, headers=MERGE)),
    ("model_get", {"model_id": "m:1"}, {}),
    ("model_get", {"model_id": "m@latest"}, {}),
    ("model_get", {"model_id": "m:3"}, dict(query="include=metrics,health,validation")),
    ("model_get", {"model_id": "m:3"}, dict(headers={"If-None-Match": '"2"'}, status=304)),
    ("models_list", {}, dict(query="status=development&sort=-version&limit=2&label.c=d")),
    ("models_list", {}, dict(query="limit=1")),
    ("models_list", {}, dict(headers={"Paddock-Namespace": "*"})),
    ("registered_model_create", {}, dict(status=201, body={
        "name": "n", "description": "d", "labels": {"a": "b"}, "slo": {"latency_p95_ms": 50},
        "gate": {"stable": {"require_types": ["unit"], "max_severity": "low"}},
        "nightly": {"enabled": False, "hour_utc": 3}})),
    ("registered_model_patch", {"name": "n"}, dict(body={"slo": {"latency_p95_ms": None},
                                                         "labels": {"a": None}})),
    ("registered_model_patch", {"name": "n"}, dict(body={"description": "e"}, headers=MERGE)),
    ("registered_models_list", {}, dict(query="q=m&limit=1")),
    ("registered_model_get", {"name": "n"}, {}),
    ("registered_model_get", {"name": "n"}, dict(headers={"If-None-Match": '"3"'}, status=304)),
    ("alias_set", {"name": "m", "alias": "champion"}, dict(body={"model_id": "m:1"})),
    ("alias_get", {"name": "m", "alias": "champion"}, {}),
    ("alias_get", {"name": "m", "alias": "champion"}, dict(headers={"If-None-Match": "*"},
                                                           status=304)),
    ("aliases_list", {"name": "m"}, {}),
    ("alias_remove", {"name": "m", "alias": "champion"}, dict(status=204)),
    ("model_gate", {"model_id": "m:1"}, dict(query="to=canary")),
    ("model_gate", {"model_id": "m:1"}, dict(query="to=stable")),
    ("model_status", {"model_id": "m:1"}, dict(body={"status": "canary", "reason": "r"})),
    ("model_status", {"model_id": "m:1"}, dict(body={"status": "stable", "supersede": True})),
    ("model_status", {"model_id": "m:2"}, dict(body={"status": "canary"})),
    ("model_status", {"model_id": "m:2"}, dict(body={"status": "stable", "force": True,
                                                     "reason": "drill"})),
    ("rollback", {"name": "m"}, dict(body={"dry_run": True})),
    ("rollback", {"name": "m"}, dict(body={"reason": "INC-1"})),
    ("model_release", {"model_id": "m:2"}, dict(status=204)),
    ("rollback", {"name": "m"}, {}),
    ("model_hold", {"model_id": "m:3"}, dict(body={"reason": "r"})),
    ("timeline_get", {"name": "m"}, {}),
    ("timeline_get", {"name": "m"}, dict(query="limit=1&from=2001-01-01T00:00:00Z")),
    ("registered_model_get", {"name": "m"}, dict(query="at=2100-01-01T00:00:00Z")),
    ("inference_of_model", {"model_id": "m:1"}, dict(status=202, body={"latency_ms": 1})),
    ("inference_of_model", {"model_id": "m:1"}, dict(status=202, body=[
        {"latency_ms": 2, "success": False, "error_type": "timeout", "scores": {"brier": 0.1}},
        {"latency_ms": 3, "score": 1, "decision_id": "x"}])),
    ("inference_of_model", {"model_id": "m:1"}, dict(
        status=202, query="on_invalid=skip", body=[{"latency_ms": 1}, {"latency_ms": -1}],
        invalid=True)),
    ("inference_of_model", {"model_id": "m:1"}, dict(status=202, body='{"latency_ms":4}\n',
                                                     headers=NDJSON)),
    ("inference", {}, dict(status=202, body=[{"model_id": "m:1", "latency_ms": 5}])),
    ("inference", {}, dict(status=202, body='{"model_id":"m:2","latency_ms":4}', headers=NDJSON)),
    ("metrics_get", {"model_id": "m:1"}, {}),
    ("metrics_get", {"model_id": "m:3"}, {}),
    ("metrics_get", {"model_id": "m:1"}, dict(
        query="window=15m&quantiles=0.5,0.9&resolution=1m&method=promql")),
    ("health_get", {"model_id": "m:1"}, {}),
    ("dataset_create", {}, dict(status=201, body={
        "dataset_id": "d", "uri": "file:///srv/data/d.csv", "format": "csv", "rows": 10,
        "label_column": "y", "sha256": "0" * 64, "description": "held out"})),
    ("dataset_replace", {"dataset_id": "e"}, dict(status=201, body={
        "uri": "file:///srv/data/e.npy", "format": "npy"})),
    ("dataset_replace", {"dataset_id": "e"}, dict(body={
        "uri": "file:///srv/data/e.jsonl", "format": "jsonl"})),
    ("dataset_patch", {"dataset_id": "e"}, dict(body={"rows": 3})),
    ("dataset_patch", {"dataset_id": "e"}, dict(body={"rows": None}, headers=MERGE)),
    ("datasets_list", {}, dict(query="format=csv&limit=1&sort=-created_at")),
    ("dataset_get", {"dataset_id": "e"}, {}),
    ("dataset_get", {"dataset_id": "e"}, dict(headers={"If-None-Match": '"4"'}, status=304)),
    ("dataset_delete", {"dataset_id": "e"}, dict(status=204)),
    ("dataset_replace", {"dataset_id": "e"}, dict(status=201, body={  # to be asked wrongly
        "uri": "file:///srv/data/e.npy", "format": "npy"})),
    ("test_case_create", {}, dict(status=201, body={
        "test_id": "t", "model_name": "m", "type": "smoke", "name": "alive", "datasets": ["d"],
        "triggers": ["manual"], "enforcement": "report", "timeout_ms": 500, "enabled": True,
        "labels": {"a": "b"}, "config": {}})),
    ("test_case_replace", {"test_id": "u"}, dict(status=201, body={
        "model_id": "m:1", "type": "smoke"})),
    ("test_case_replace", {"test_id": "u"}, dict(body={
        "model_id": "m:1", "type": "smoke", "enabled": False})),
    ("test_case_patch", {"test_id": "u"}, dict(body={"labels": {"c": "d"}})),
    ("test_case_patch", {"test_id": "u"}, dict(body={"labels": {"c": None}}, headers=MERGE)),
    ("test_cases_list", {}, dict(query="model_name=m&enabled=true&type=smoke&label.a=b")),
    ("test_case_get", {"test_id": "u"}, {}),
    ("test_case_get", {"test_id": "u"}, dict(headers={"If-None-Match": '"4"'}, status=304)),
    ("test_case_delete", {"test_id": "u"}, dict(status=204)),
    ("test_case_replace", {"test_id": "u"}, dict(status=201, body={  # to be asked wrongly
        "model_id": "m:1", "type": "smoke"})),
    ("flag_create", {}, dict(status=201, body={
        "key": "f", "description": "d", "variants": {"off": 0, "on": {"a": 1}},
        "default_variant": "off", "fallback_variant": "on", "policy": "percentage",
        "params": {"weights": {"on": 50, "off": 50}}, "owner": "o", "labels": {"a": "b"}})),
    ("flag_replace", {"key": "g"}, dict(status=201, body={
        "variants": {"x": 1}, "default_variant": "x",
        "prerequisites": [{"flag": "f", "variants": ["on"]}]})),
    ("flag_replace", {"key": "g"}, dict(body={"variants": {"x": 2}, "default_variant": "x"})),
    ("flag_patch", {"key": "f"}, dict(body={"params": {"weights": {"on": 40, "off": 60}}})),
    ("flag_patch", {"key": "f"}, dict(body={"expires_at": None}, headers=MERGE)),
    ("flags_list", {}, dict(query="policy=percentage&owner=o&enabled=true&killed=false&label.a=b")),
    ("flag_get", {"key": "g"}, {}),
    ("flag_get", {"key": "g"}, dict(headers={"If-None-Match": '"2"'}, status=304)),
    ("flag_evaluate", {"key": "f"}, dict(body={
        "context": {"targetingKey": "u"}, "explain": True, "at": "2026-11-23T02:00:00Z"})),
    ("flag_evaluate", {"key": "f"}, dict(body={})),
    ("flag_evaluate", {"key": "g"}, dict(body={"context": {}})),
    ("flag_versions", {"key": "f"}, dict(query="limit=1")),
    ("flag_rollback", {"key": "f"}, dict(body={"version": 1, "reason": "r"})),
    ("flag_simulate", {"key": "f"}, dict(body={
        "population": 10, "contexts": [{"a": 1}], "draft": {"enabled": False}, "at": None,
        "draft_policy_source": None})),
    ("layer_create", {}, dict(status=201, body={
        "layer": "l", "description": "d", "ranges": [{"flag": "f", "from": 0, "to": 10}],
        "holdout": {"from": 10, "to": 20}, "salt": "s"})),
    ("layer_replace", {"layer": "k"}, dict(status=201, body={"ranges": []})),
    ("layer_replace", {"layer": "k"}, dict(body={"ranges": [], "description": "d"})),
    ("layer_patch", {"layer": "k"}, dict(body={"salt": "t"})),
    ("layer_patch", {"layer": "k"}, dict(body={"salt": None}, headers=MERGE)),
    ("layers_list", {}, dict(query="limit=1&sort=-created_at")),
    ("layer_get", {"layer": "k"}, {}),
    ("layer_get", {"layer": "k"}, dict(headers={"If-None-Match": '"4"'}, status=304)),
    ("layer_delete", {"layer": "k"}, dict(status=204)),
    ("layer_replace", {"layer": "k"}, dict(status=201, body={})),  # to be asked wrongly
    ("segment_create", {}, dict(status=201, body={
        "segment": "s", "description": "d", "units": ["u"]})),
    ("segment_replace", {"segment": "t"}, dict(status=201, body={"units": []})),
    ("segment_replace", {"segment": "t"}, dict(body={"units": ["v"]})),
    ("segment_patch", {"segment": "t"}, dict(body={"units": ["w"]})),
    ("segment_patch", {"segment": "t"}, dict(body={"description": "d"}, headers=MERGE)),
    ("segments_list", {}, dict(query="limit=1&sort=-created_at")),
    ("segment_get", {"segment": "t"}, {}),
    ("segment_get", {"segment": "t"}, dict(headers={"If-None-Match": '"4"'}, status=304)),
    ("ofrep_evaluate", {"key": "f"}, dict(body={"context": {"targetingKey": "u"}})),
    ("ofrep_evaluate", {"key": "f"}, dict(body={"context": {}}, status=400)),
    ("ofrep_evaluate", {"key": "none"}, dict(body={"context": {}}, status=404)),
    ("ofrep_bulk", {}, dict(body={"context": {"targetingKey": "u"}}, query="flagConfigEtag=x")),
    ("ofrep_bulk", {}, dict(body={"context": {}}, keep="streams=eventStreams")),
    ("ofrep_events", {}, dict(query="$streams")),
    ("ofrep_bulk", {}, dict(body={}, headers={"If-None-Match": "*"}, status=304)),
    ("segment_delete", {"segment": "t"}, dict(status=204)),
    ("segment_replace", {"segment": "t"}, dict(status=201, body={})),  # to be asked wrongly
    ("flag_delete", {"key": "g"}, dict(status=204)),
    ("flag_replace", {"key": "g"}, dict(status=201, body={  # to be asked wrongly
        "variants": {"x": 1}, "default_variant": "x"})),
    ("route_get", {"route": "m"}, {}),
    ("route_create", {}, dict(status=201, body={
        "route": "r", "match": {"type": "other", "labels": {"a": "b"}, "sport": "s"},
        "arms": {"a": "m@stable", "b": "m:1"}, "strategy": "weighted", "killed": False,
        "params": {"weights": {"a": 1, "b": 2}}, "fallback": ["m@stable"], "ttl_ms": 5,
        "shadows": [{"model_id": "m:1", "share_ratio": 0.5}], "decision_log": "all",
        "on_missing_unit": "error", "unit": "user", "salt": "s"})),
    ("route_replace", {"route": "q"}, dict(status=201, body={"match": {"sport": "s"}})),
    ("route_replace", {"route": "q"}, dict(body={"match": {"sport": "s"}, "flag": "f"})),
    ("route_patch", {"route": "q"}, dict(body={"ttl_ms": 6})),
    ("route_patch", {"route": "r"}, dict(query="dry_run=true", body={"killed": True})),
    ("route_patch", {"route": "q"}, dict(body={"flag": None}, headers=MERGE)),
    ("routes_list", {}, dict(query="limit=1")),
    ("route_get", {"route": "q"}, dict(headers={"If-None-Match": '"4"'}, status=304)),
    ("selection", {}, dict(keep="decision_id", body={
        "route": "r", "context": {"user": "u"}, "explain": True})),
    ("selection", {}, dict(body={"type": "other"})),
    ("selection_batch", {}, dict(body={"route": "r", "contexts": [{"user": "u"}, {}]})),
    ("decision_get", {"decision_id": "$decision_id"}, {}),
    ("selection_explain", {}, dict(body={
        "route": "r", "context": {"user": "u"}, "at": "$now"})),
    ("decisions_list", {}, dict(query="unit=u&route=r&limit=1&from=2026-11-23T02:00:00Z")),
    ("route_outcomes", {"route": "m"}, {}),
    ("outcomes", {}, dict(status=202, body={
        "decision_id": "x", "scores": {"reward": 1}, "at": "2026-11-23T02:00:00Z"})),
    ("outcomes", {}, dict(status=202, headers=NDJSON, body='{"decision_id":"x","scores":{"a":1}}\n')),
    ("route_delete", {"route": "q"}, dict(status=204)),
    ("route_replace", {"route": "q"}, dict(status=201, body={  # to be asked wrongly
        "match": {"sport": "s"}})),
    ("experiment_create", {}, dict(status=201, body={
        "key": "x", "route": "r", "control": "b", "treatments": ["a"], "alpha": 0.1,
        "metrics": [{"name": "error_rate", "margin_ratio": 0.5},
                    {"name": "score:brier", "direction": "lower", "margin_abs": 0.1}],
        "steps_percent": [10, 100], "step_min_seconds": 60, "max_seconds": 600,
        "min_samples": 10, "warmup_seconds": 0, "on_inconclusive": "rollback",
        "on_success": "propose", "on_regression": "hold"})),
    ("experiment_replace", {"key": "y"}, dict(status=201, body={
        "route": "r", "control": "b", "treatments": ["a"]})),
    ("experiment_replace", {"key": "y"}, dict(body={
        "route": "r", "control": "b", "treatments": ["a"], "alpha": 0.1})),
    ("experiment_patch", {"key": "y"}, dict(body={"alpha": 0.3})),
    ("experiment_patch", {"key": "y"}, dict(body={"alpha": 0.2}, headers=MERGE)),
    ("model_register", {}, dict(status=201, body={"name": "trial", "version": "1",
                                                  "type": "other"})),
    ("model_register", {}, dict(status=201, body={"name": "trial", "version": "2",
                                                  "type": "other"})),
    ("model_status", {"model_id": "trial:1"}, dict(body={"status": "canary"})),
    ("model_status", {"model_id": "trial:1"}, dict(body={"status": "stable"})),
    ("model_status", {"model_id": "trial:2"}, dict(body={"status": "canary"})),
    ("route_replace", {"route": "trial"}, dict(body={
        "arms": {"a": "@canary", "b": "@stable"}, "strategy": "weighted",
        "params": {"weights": {"a": 0, "b": 1}}})),
    ("experiment_replace", {"key": "t"}, dict(status=201, body={
        "route": "trial", "control": "b", "treatments": ["a"]})),
    ("experiments_list", {}, dict(query="limit=1&route=r&state=draft")),
    ("experiment_get", {"key": "y"}, dict(headers={"If-None-Match": '"4"'}, status=304)),
    ("experiment_get", {"key": "y"}, {}),
    ("experiment_start", {"key": "t"}, dict(body={"reason": "r"})),
    ("experiment_pause", {"key": "t"}, dict(body={"reason": "r"})),
    ("experiment_start", {"key": "t"}, {}),
    ("experiment_stop", {"key": "t"}, dict(body={"reason": "r"})),
    ("experiment_start", {"key": "t"}, {}),
    ("experiment_promote", {"key": "t"}, dict(body={"reason": "r", "treatment": "a"})),
    ("model_register", {}, dict(status=201, body={"name": "trial", "version": "3",
                                                  "type": "other"})),
    ("model_status", {"model_id": "trial:3"}, dict(body={"status": "canary"})),
    ("experiment_start", {"key": "t"}, {}),
    ("experiment_rollback", {"key": "t"}, dict(body={"reason": "r", "treatment": "a"})),
    ("experiment_analysis", {"key": "y"}, {}),
    ("experiment_delete", {"key": "x"}, dict(status=204)),
    ("experiment_replace", {"key": "x"}, dict(status=201, body={  # to be asked wrongly
        "route": "r", "control": "b", "treatments": ["a"]})),
    ("policies_list", {}, dict(query="kind=rollout")),
    ("policy_get", {"kind": "severity", "name": "default"}, {}),
    ("policy_install", {"kind": "rollout", "name": "p"}, dict(
        status=201, body="return { summary = 's', decide = function() end }",
        headers={"Content-Type": "text/x-lua"})),
    ("policy_install", {"kind": "rollout", "name": "p"}, dict(
        body="return { summary = 't', decide = function() end }",
        headers={"Content-Type": "text/x-lua"})),
    ("policy_install", {"kind": "rollout", "name": "m"}, dict(  # to be asked wrongly
        status=201, body="return { summary = 's', decide = function() end }",
        headers={"Content-Type": "text/x-lua"})),
    ("policy_get", {"kind": "rollout", "name": "p"}, dict(query="version=1")),
    ("policy_versions", {"kind": "rollout", "name": "p"}, {}),
    ("policy_rollback", {"kind": "rollout", "name": "p"}, dict(body={"version": 1})),
    ("policy_uncover", {"kind": "rollout", "name": "p"}, dict(status=204)),
    ("policy_check", {}, dict(body={
        "kind": "rollout", "source": "return { summary = 's', decide = function(f, c, env)"
        " return env.contains(c.a, 'b') and 'on' or nil end }", "input": {"context": {"a": "b"}}})),
    ("policy_check", {}, dict(body={
        "kind": "severity", "source": "return { summary = 's', grade = function(r)"
        " return 'low', 'r' end }", "input": {"metric": "auc"}})),
    ("policy_check", {}, dict(body={"kind": "severity", "source": "return"})),
    ("token_create", {}, dict(status=201, body={
        "token_id": "walk", "description": "The walk's own.", "role": "admin",
        "rate_per_second": 100000, "expires_at": "2999-01-01T00:00:00Z",
        "grants": [{"namespace": "*", "names": ["*"], "actions": ["admin"]}]})),
    ("token_replace", {"token_id": "t"}, dict(status=201, body={"role": "viewer"})),
    ("token_replace", {"token_id": "t"}, dict(body={"role": "operator"})),
    ("token_patch", {"token_id": "t"}, dict(body={"role": "developer"})),
    ("token_patch", {"token_id": "t"}, dict(body={"description": "x"}, headers=MERGE)),
    ("tokens_list", {}, dict(query="role=admin&limit=1&sort=-updated_at")),
    ("token_get", {"token_id": "t"}, {}),
    ("token_get", {"token_id": "t"}, dict(headers={"If-None-Match": '"4"'}, status=304)),
    ("token_delete", {"token_id": "t"}, dict(status=204)),
    ("token_replace", {"token_id": "t"}, dict(status=201, body={"role": "viewer"})),
    ("model_register", {}, dict(status=201, body={"name": "sick", "version": "1",
                                                  "type": "other"})),
    ("model_status", {"model_id": "sick:1"}, dict(body={"status": "canary"})),
    ("registered_model_patch", {"name": "sick"}, dict(body={"slo": {"error_rate_ratio": 0.05}})),
    ("inference_of_model", {"model_id": "sick:1"}, dict(
        status=202, body=[{"latency_ms": 1, "success": False}] * 400)),
    ("alerts_list", {}, dict(query="state=open&severity=medium&kind=health&model_id=sick:1",
                             keep="alert_id")),
    ("alert_get", {"alert_id": "$alert_id"}, {}),
    ("alert_get", {"alert_id": "$alert_id"}, dict(headers={"If-None-Match": '"1"'}, status=304)),
    ("alert_acknowledge", {"alert_id": "$alert_id"}, dict(body={"note": "at it"})),
    ("webhook_create", {}, dict(status=201, body={
        "webhook_id": "w", "url": "https://pager.example/", "events": ["alert.*"],
        "model_names": ["m"], "secret": SECRET, "enabled": False, "description": "d"})),
    ("webhook_replace", {"webhook_id": "v"}, dict(status=201, body={
        "url": "https://pager.example/", "events": ["*"], "secret": SECRET})),
    ("webhook_replace", {"webhook_id": "v"}, dict(body={
        "url": "https://pager.example/2", "events": ["*"], "enabled": False})),
    ("webhook_patch", {"webhook_id": "v"}, dict(body={"description": "d"})),
    ("webhook_patch", {"webhook_id": "v"}, dict(body={"description": None}, headers=MERGE)),
    ("webhooks_list", {}, dict(query="limit=1")),
    ("webhook_get", {"webhook_id": "v"}, {}),
    ("webhook_get", {"webhook_id": "v"}, dict(headers={"If-None-Match": '"4"'}, status=304)),
    ("deliveries_list", {"webhook_id": "w"}, dict(query="status=pending&limit=1")),
    ("webhook_test", {"webhook_id": "w"}, {}),
    ("webhook_delete", {"webhook_id": "v"}, dict(status=204)),
    ("webhook_replace", {"webhook_id": "v"}, dict(status=201, body={  # to be asked wrongly
        "url": "https://pager.example/", "events": ["*"], "secret": SECRET, "enabled": False})),
    ("model_register", {}, dict(status=201, body={
        "name": "ok", "version": "1", "type": "other",
        "runtime": {"kind": "exec", "command": ["/bin/sh", "-c", ANSWERS]}})),
    ("model_register", {}, dict(status=201, body={
        "name": "slow", "version": "1", "type": "other",
        "runtime": {"kind": "exec", "command": ["/bin/sh", "-c", "sleep 60"]}})),
    ("test_case_create", {}, dict(status=201, body={
        "test_id": "ok", "model_name": "ok", "type": "smoke", "config": {"limit_ms": 20000}})),
    ("test_case_create", {}, dict(status=201, body={
        "test_id": "slow", "model_id": "slow:1", "type": "smoke", "timeout_ms": 60000,
        "config": {"limit_ms": 60000}})),
    ("validation_run", {}, dict(keep="run=run_id", body={
        "model_id": "ok:1", "types": ["smoke"], "test_ids": ["ok"], "labels": {"a": "b"},
        "trial": False, "wait_ms": 60000})),
    ("validation_run", {}, dict(status=202, keep="slow=run_id", body={"model_id": "slow:1"})),
    ("validation_run_get", {"run_id": "$run"}, dict(query="wait_ms=1000")),
    ("validation_run_cancel", {"run_id": "$slow"}, {}),
    ("validation_history", {"model_id": "ok:1"}, dict(
        query="limit=1&status=passed&trigger=manual")),
    ("validation_measurements", {}, dict(
        query="model_name=ok&test_id=ok&name=first_answer&limit=1")),
    ("validation_report", {"model_id": "ok:1"}, dict(query="window=7d")),
    ("validation_baseline_put", {"model_id": "ok:1"}, dict(body={"run_id": "$run"})),
    ("validation_baseline_get", {"model_id": "ok:1"}, {}),
    ("validation_baseline_get", {"model_id": "ok:1"}, dict(headers={"If-None-Match": '"1"'},
                                                           status=304)),
    ("validation_baseline_delete", {"model_id": "ok:1"}, dict(status=204)),
    ("validation_baseline_put", {"model_id": "m:1"}, dict(body={"run_id": "$run"})),
    ("validation_nightly_start", {}, dict(status=202, keep="night=batch_id")),
    ("validation_nightly_get", {}, {}),
    ("validation_nightly_batch", {"batch_id": "$night"}, dict(query="limit=1")),
    ("model_audit", {"model_id": "m:1"}, dict(query="limit=1")),
    ("audit_get", {}, dict(query="limit=1000")),
    ("audit_get", {}, dict(headers={"Accept": "application/x-ndjson"}, each="AuditEntry")),
    ("events_get", {}, dict(query="types=model.*")),
    ("types_get", {}, {}),
    ("plugins_list", {}, {}),
    ("plugins_reload", {}, {}),
    ("config_get", {}, {}),
    ("nodes_list", {}, {}),
    ("healthz", {}, {}),
    ("readyz", {}, {}),
    ("version", {}, {}),
    ("exposition", {}, dict(headers={"Accept": "application/openmetrics-text"})),
    ("exposition", {}, dict(headers={"Accept": "text/plain"})),
    ("openapi", {}, {}),
    ("problems_list", {}, {}),
    ("problem_get", {"slug": "model-not-found"}, {}),
    ("problem_get", {"slug": "model-not-found"}, dict(headers={"Accept": "text/html"})),
    ("root", {}, {}),
    ("model_status", {"model_id": "m:3"}, dict(body={"status": "retired"})),
    ("model_delete", {"model_id": "m:3"}, dict(status=204)),
    ("registered_model_delete", {"name": "n"}, dict(status=204)),
]

faults = []


def fault(text):
    faults.append(text)
    print("FAULT:", text)


class Schemas:
    """Validation by the schemas of one OpenAPI document."""

    def __init__(self, document):
        self.document = document
        self.resolver = jsonschema.RefResolver("", document)
        self.formats = jsonschema.FormatChecker(formats=[])
        self.formats.checks("date-time")(
            lambda v: not isinstance(v, str) or bool(
                re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", v)))

    def check(self, schema, value, where):
        validator = jsonschema.Draft202012Validator(schema, resolver=self.resolver,
                                                    format_checker=self.formats)
        for e in list(validator.iter_errors(value))[:3]:
            fault(f"{where}: {'/'.join(map(str, e.absolute_path))}: {e.message[:300]}")

    def follow(self, schema):
        while "$ref" in schema:
            schema = self.resolver.resolve(schema["$ref"])[1]
        return schema

    def parts(self, schema):
        """The schema and all that it is made of."""
        schema = self.follow(schema)
        yield schema
        for kind in ("allOf", "anyOf", "oneOf"):
            for part in schema.get(kind, []):
                yield from self.parts(part)

    def unknown(self, schema, value, where):
        """Members of the value that no schema describes."""
        parts = list(self.parts(schema))
        if isinstance(value, list):
            for i, item in enumerate(value):
                for p in parts:
                    if "items" in p:
                        self.unknown(p["items"], item, f"{where}/{i}")
        if not isinstance(value, dict) or all(p == {} for p in parts):
            return
        known, others = {}, None
        for p in parts:
            known.update(p.get("properties", {}))
            others = p["additionalProperties"] if "additionalProperties" in p else others
        for name, member in value.items():
            if name in known:
                self.unknown(known[name], member, f"{where}/{name}")
            elif isinstance(others, dict):
                self.unknown(others, member, f"{where}/{name}")
            elif known:
                fault(f"{where}: the member '{name}' is not in the schema")


class Walk:
    def __init__(self, server):
        self.server = server
        self.document = server.call("GET", "/openapi.json").json
        self.schemas = Schemas(self.document)
        self.kinds = {k["code"]: k["status"]
                      for k in server.call("GET", "/problems?limit=1000").json["items"]}
        self.operations, self.seen, self.kept = {}, set(), {}
        for path, item in self.document["paths"].items():
            for method, operation in item.items():
                self.operations[operation["operationId"]] = (method.upper(), path, operation)

    def target(self, path, params, query):
        for name, value in params.items():
            path = path.replace("{%s}" % name, self.kept.get(value, value))
        assert "{" not in path, path
        if query == "$streams":
            query = self.kept[query][0]["endpoint"]["requestUri"].partition("?")[2]
        return path + ("?" + query if query else "")

    def check_request(self, name, operation, body, headers):
        content = operation["requestBody"]["content"]
        media = headers.get("Content-Type", "application/json")
        if media not in content:
            return fault(f"{name}: a body of {media} is not announced")
        self.seen.add((name, "takes", media))
        if not isinstance(body, str):
            self.schemas.check(content[media]["schema"], body, f"{name}: request")

    def check_problem(self, name, operation, reply):
        """A refusal: announced, with a code that /problems knows."""
        where = f"{name}: {reply.status}"
        problem, announced = reply.json, operation["responses"].get(str(reply.status), {})
        if reply.media != "application/problem+json":
            if reply.media not in announced.get("content", {}):
                return fault(f"{where} as {reply.media}")
            return self.schemas.check(  # OFREP's own shape
                announced["content"][reply.media]["schema"], problem, where)
        schema = self.document["components"]["schemas"]["Problem"]
        self.schemas.check(schema, problem, where)
        self.schemas.unknown(schema, problem, where)
        if problem["code"] not in announced.get("x-paddock-codes", []):
            fault(f"{where} {problem['code']} is not announced")
        if self.kinds.get(problem["code"]) != reply.status:
            fault(f"{where} {problem['code']}: /problems knows no such kind")

    def check_reply(self, name, operation, reply, each):
        where = f"{name}: {reply.status}"
        response = operation["responses"].get(str(reply.status))
        if response is None:
            return fault(f"{where} is not announced: {reply.text[:300]}")
        self.seen.add((name, reply.status))
        for header in response.get("headers", {}):
            part = re.match("include=|at=", each.get("query", ""))  # no whole object: no ETag
            if header.lower() not in reply.headers and not part:
                fault(f"{where}: no header {header}")
        content = response.get("content", {})
        if not content:
            return reply.body and fault(f"{where} has a body: {reply.text[:100]}")
        if reply.media not in content:
            return fault(f"{where} as {reply.media} is not announced")
        self.seen.add((name, reply.status, reply.media))
        schema = content[reply.media]["schema"]
        if "each" in each:
            schema = self.document["components"]["schemas"][each["each"]]
        values = ([json.loads(line) for line in reply.text.splitlines()] if "each" in each
                  else [reply.json] if reply.media.endswith("json") else [])
        for value in values:
            self.schemas.check(schema, value, where)
            self.schemas.unknown(schema, value, where)

    def call(self, name, params, more):
        method, path, operation = self.operations[name]
        self.kept["$now"] = int(time.time() * 1000)
        body, headers = self.filled(more.get("body")), more.get("headers", {})
        if body is not None and not more.get("invalid"):
            self.check_request(name, operation, body, headers)
        reply = self.server.call(method, self.target(path, params, more.get("query")), body,
                                 headers)
        if name == "token_create" and reply.status == 201:
            self.server.token = reply.json["token"]  # from then on everybody needs one
        end = time.monotonic() + 60
        while "keep" in more and reply.json.get("items") == [] and time.monotonic() < end:
            time.sleep(0.2)
            reply = self.server.call(method, self.target(path, params, more.get("query")))
        if "keep" in more and reply.status < 300:
            variable, _, member = more["keep"].partition("=")
            answer = reply.json["items"][0] if "items" in reply.json else reply.json
            self.kept["$" + variable] = answer[member or variable]
        if reply.status != more.get("status", 200):
            fault(f"{name} {params}: wanted {more.get('status', 200)}, got {reply.status}"
                  f" {reply.text[:300]}")
        elif reply.status >= 400:
            self.check_problem(name, operation, reply)
        else:
            self.check_reply(name, operation, reply, more)

    def filled(self, body):
        """A body with what was kept in its place."""
        if not isinstance(body, dict):
            return body
        return {k: self.kept.get(v, v) if isinstance(v, str) else v for k, v in body.items()}

    def wrong(self, name, params, status, query=None, body=None, headers=None, code=None):
        method, path, operation = self.operations[name]
        body = self.filled(body)
        reply = self.server.call(method, self.target(path, params, query), body, headers)
        if reply.status != status or (code and reply.json.get("code", code) != code):
            return fault(f"{name}, wrongly: wanted {status} {code or ''}, got {reply.status}"
                         f" {reply.text[:300]}")
        self.check_problem(name, operation, reply)

    def ask_wrongly(self, name):
        method, path, operation = self.operations[name]
        right = next((p, m) for n, p, m in CALLS if n == name)
        params = {k: "m:1" if k == "model_id" else "m" if k == "name" else v
                  for k, v in right[0].items()}
        body = right[1].get("body")
        text = isinstance(body, str)  # no JSON
        media = right[1].get("headers", {}) if text else {}
        headers = {p["$ref"].rsplit("/")[-1] for p in operation["parameters"] if "$ref" in p}
        self.wrong(name, params, 400, query="zzz=1", body=body, headers=media,
                   code="UNKNOWN_PARAMETER")
        if "Namespace" in headers:
            self.wrong(name, params, 400, body=body, headers={"Paddock-Namespace": "a b", **media},
                       code="VALIDATION_FAILED")
        if "IfMatch" in headers:
            self.wrong(name, params, 412, body=body or ({"reason": "r"} if name == "model_hold"
                                                        else None),
                       headers={"If-Match": '"424242"', **media}, code="REVISION_MISMATCH")
        if params and name != "problem_get":
            nobody = {k: "nobody" for k in params}
            if not name.endswith("_replace"):  # they create
                self.wrong(name, nobody, 404, body=body, headers=media)
        if "requestBody" in operation:
            self.wrong(name, params, 415, body="x", headers={"Content-Type": "text/plain"},
                       code="UNSUPPORTED_MEDIA_TYPE")
            if not name.startswith("ofrep_") and not text:  # another shape of errors; unknown members pass
                self.wrong(name, params, 400, body="{", code="MALFORMED_JSON")
                self.wrong(name, params, 400, body='{"zzz":1}')
            size = 9 << 20 if "NamedInference" in json.dumps(operation) \
                or "inference" in path or "outcomes" in path \
                else 2 << 20
            self.wrong(name, params, 413, body=" " * size, headers=media)

    def finish(self):
        for name, (method, path, operation) in self.operations.items():
            for status, response in operation["responses"].items():
                if not status.startswith(("2", "3")):
                    continue
                if (name, int(status)) not in self.seen:
                    fault(f"{name}: nothing in CALLS provokes {status}")
                for media in response.get("content", {}):
                    if (name, int(status), media) not in self.seen:
                        fault(f"{name}: nothing in CALLS provokes {status} as {media}")
            for media in operation.get("requestBody", {}).get("content", {}):
                if (name, "takes", media) not in self.seen:
                    fault(f"{name}: nothing in CALLS sends {media}")
            for status, response in operation["responses"].items():
                for code in response.get("x-paddock-codes", []):
                    if self.kinds.get(code) != int(status):
                        fault(f"{name}: {status} {code} is no kind of /problems")


def main():
    with Server("--dataset-dirs", "/srv/data", "--exec-dirs", "/bin") as server:
        walk = Walk(server)
        with open(os.environ["PADDOCK_SOURCE"] + "/docs/openapi.json") as f:
            if f.read() != server.call("GET", "/openapi.json").text:
                fault("docs/openapi.json is stale: paddock openapi > docs/openapi.json")
        for name in walk.operations:
            if name not in {c[0] for c in CALLS}:
                fault(f"the operation {name} has no entry in CALLS")
        for name, params, more in CALLS:
            walk.call(name, params, more)
        for name in walk.operations:
            if any(c[0] == name for c in CALLS):
                walk.ask_wrongly(name)
        walk.finish()
        print(f"{len(walk.operations)} operations, {len(CALLS)} calls, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
