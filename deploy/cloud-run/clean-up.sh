#!/usr/bin/env bash
# Removes what deploy.sh has created: the service, its images and uploaded sources, the service account and its role.
#
# It may be run again at any time: what is gone already is passed over. A service account that deploy.sh found, and did
# not create, stays, and so does its role. The enabled APIs, the repository cloud-run-source-deploy and the bucket of
# uploaded sources stay as well, because other services may use them.
set -euo pipefail
FOLDER=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PURPOSE="Removes what deploy.sh has created: the service, its images and sources, the service account and its role."
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$FOLDER/settings.sh"

# exists COMMAND...: whether this question to gcloud has an answer. In a dry run, everything exists.
exists() {
    [ -z "$DRY_RUN" ] || return 0
    local answer
    answer=$(existing "$@") || exit 1
    [ -n "$answer" ]
}

delete_service() {
    local place=(--project="$PROJECT_ID" --region="$REGION")
    if exists gcloud run services describe "$SERVICE" "${place[@]}" --format='value(metadata.name)'; then
        change gcloud run services delete "$SERVICE" "${place[@]}" --quiet
    fi
}

delete_images() {
    local image=$REGION-docker.pkg.dev/$PROJECT_ID/cloud-run-source-deploy/$SERVICE
    if exists gcloud artifacts docker images list "$image" --limit=1 --format='value(package)'; then
        change gcloud artifacts docker images delete --delete-tags --quiet "$image"
    fi
}

delete_sources() {
    local sources=gs://run-sources-$PROJECT_ID-$REGION/services/$SERVICE
    if exists gcloud storage ls "$sources"; then
        change gcloud storage rm --recursive "$sources"
    fi
}

# The role goes first: otherwise the policy of the project would still name a deleted account.
delete_account() {
    local roles=$ROLE
    if [ -z "$DRY_RUN" ]; then
        local described
        described=$(account_description)
        if [ -z "$described" ]; then
            return 0
        elif [[ $described != *"$DESCRIPTION"* ]]; then
            echo "${0##*/}: $ACCOUNT was not created by deploy.sh: it stays, with its roles" >&2
            return 0
        fi
        roles=$(roles_of_account)
    fi
    if grep -qx "$ROLE" <<< "$roles"; then
        change gcloud projects remove-iam-policy-binding "$PROJECT_ID" --member="serviceAccount:$ACCOUNT" \
            --role="$ROLE" --condition=None --quiet
    fi
    change gcloud iam service-accounts delete "$ACCOUNT" --project="$PROJECT_ID" --quiet
}

read_settings "$@"
[ ${#MORE[@]} = 0 ] || fail "unknown argument '--'; --help lists the options" 2
delete_service
delete_images
delete_sources
delete_account
